"""wsrelay.core.cache"""

from __future__ import annotations

from twisted.internet.task import Clock

from tests.doubles import drive
from wsrelay.core.cache import Cached, Memory


def put(memory: Memory, channel: str, payload: bytes, seconds: float = 60) -> None:
    memory.put("a", channel, payload, seconds)


def get(memory: Memory, channel: str, app_id: str = "a") -> Cached | None:
    return drive(memory.get(app_id, channel))


def test_a_channel_remembers_its_last_event_and_how_long_it_is_still_true() -> None:
    clock = Clock()
    memory = Memory(clock.seconds, most_bytes=100)
    put(memory, "cache-a", b"older")
    put(memory, "cache-a", b"newer")
    clock.advance(20)
    assert get(memory, "cache-a") == Cached(b"newer", 40)
    assert len(memory) == 1


def test_an_event_is_forgotten_when_its_time_is_over() -> None:
    clock = Clock()
    memory = Memory(clock.seconds, most_bytes=100)
    put(memory, "cache-a", b"x", seconds=60)
    clock.advance(60)
    assert get(memory, "cache-a") is None
    assert len(memory) == 0


def test_channels_and_apps_remember_for_themselves() -> None:
    memory = Memory(Clock().seconds, most_bytes=100)
    put(memory, "cache-a", b"x")
    assert get(memory, "cache-b") is None
    assert get(memory, "cache-a", app_id="b") is None


def test_what_was_stored_first_goes_first_when_memory_is_full() -> None:
    memory = Memory(Clock().seconds, most_bytes=10)
    for channel in ("cache-a", "cache-b"):
        put(memory, channel, b"12345")
    assert get(memory, "cache-a") is not None
    put(memory, "cache-c", b"1")
    assert get(memory, "cache-a") is None
    assert get(memory, "cache-b") is not None
    assert get(memory, "cache-c") is not None


def test_an_event_in_place_of_another_frees_its_room() -> None:
    memory = Memory(Clock().seconds, most_bytes=10)
    for payload in (b"1234567890", b"123", b"1234567"):
        put(memory, "cache-a", payload)
    put(memory, "cache-b", b"123")
    assert len(memory) == 2
    put(memory, "cache-b", b"1234")
    assert get(memory, "cache-a") is None


def test_what_is_larger_than_all_memory_is_not_remembered() -> None:
    memory = Memory(Clock().seconds, most_bytes=10)
    put(memory, "cache-a", b"12345678901")
    assert len(memory) == 0
    put(memory, "cache-a", b"1234567890")
    assert len(memory) == 1


def test_a_smaller_limit_lets_the_oldest_go_at_once() -> None:
    memory = Memory(Clock().seconds, 100)
    for name in ("cache-a", "cache-b"):
        memory.put("1", name, b"x" * 40, 60)
    memory.limit(50)
    assert len(memory) == 1
    assert drive(memory.get("1", "cache-b")) is not None
