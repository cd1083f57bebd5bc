"""wsrelay.workers.slot: who is replaced when, and who hangs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.workers.log import logged
from wsrelay.workers.slot import HANG, LONGEST_PAUSE, START, STEADY, Slot, State, described
from wsrelay.workers.words import Beat, Failed, Hurry, Ready


class FakeChild:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.said: list[Any] = []
        self.kills = 0

    def say(self, word: Any) -> None:
        self.said.append(word)

    def kill(self) -> None:
        self.kills += 1


class Place:
    """A slot whose processes are the test's."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.children: list[FakeChild] = []
        self.heard: list[Any] = []
        self.ends: list[str] = []
        self.fault: OSError | None = None
        self.slot = Slot(
            1,
            self.clock,
            self.clock.seconds,
            self.spawn,
            heard=lambda slot, word: self.heard.append(word),
            gone=lambda slot, how: self.ends.append(how),
        )

    def spawn(self, slot: Slot) -> FakeChild:
        if self.fault is not None:
            raise self.fault
        self.children.append(FakeChild(100 + len(self.children)))
        return self.children[-1]

    def look_every_second(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.clock.advance(1)
            self.slot.look()


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    made.slot.start()
    yield made
    made.slot.end()
    assert not made.clock.getDelayedCalls()


def test_it_starts_and_serves(place: Place) -> None:
    assert (place.slot.state, place.slot.pid) == (State.STARTING, 100)
    place.slot.hear(Ready())
    assert place.slot.state is State.SERVING
    place.slot.say(Hurry())
    assert place.children[0].said == [Hurry()]
    assert place.heard == [Ready()]


def test_who_dies_is_replaced_at_once_and_who_dies_again_after_growing_pauses(place: Place) -> None:
    pauses = []
    with logged() as lines:
        for _ in range(10):
            place.slot.hear(Ready())
            place.slot.hear(Beat({"connections": 1}, ()))
            before = len(place.children)
            place.slot.ended("was ended by SIGKILL")
            assert (place.slot.state, place.slot.status) == (State.EMPTY, {})
            [call] = place.clock.getDelayedCalls()
            pauses.append(call.getTime() - place.clock.seconds())
            place.clock.advance(pauses[-1])
            assert len(place.children) == before + 1
    assert pauses == [0, 0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert place.slot.restarts == 10
    assert lines[:2] == [
        "error worker 1 (process 100) was ended by SIGKILL; the next one is started at once",
        "error worker 1 (process 101) was ended by SIGKILL; the next one is started in 0.5 s",
    ]
    place.clock.advance(STEADY)
    place.slot.ended("ended with status 1")
    [call] = place.clock.getDelayedCalls()
    assert call.getTime() == place.clock.seconds(), "it had been steady"


def test_why_it_could_not_start_is_said(place: Place) -> None:
    place.slot.hear(Failed("tls: no key"))
    with logged() as lines:
        place.slot.ended("ended with status 1")
    assert lines == [
        "error worker 1 (process 100) ended with status 1: tls: no key; the next one is started "
        "at once"
    ]


def test_when_no_process_can_be_had_it_is_tried_again(place: Place) -> None:
    place.fault = OSError(11, "Resource temporarily unavailable")
    place.slot.ended("was ended by SIGSEGV")
    with logged() as lines:
        place.clock.advance(0)
    assert "could not be started: [Errno 11] Resource temporarily unavailable" in lines[0]
    assert not place.slot.is_alive
    place.slot.say(Hurry())
    place.slot.kill()
    place.fault = None
    place.clock.advance(0.5)
    assert place.slot.is_alive


def test_who_is_silent_is_ended(place: Place) -> None:
    place.slot.hear(Ready())
    for _ in range(5):
        place.look_every_second(HANG)
        place.slot.hear(Beat({}, ()))
    assert place.children[0].kills == 0
    with logged() as lines:
        place.look_every_second(HANG + 1)
    assert place.children[0].kills == 1
    assert lines == [
        "error worker 1 (process 100) hangs: nothing was heard of it for 11 s; it is ended"
    ]


def test_a_start_may_take_longer(place: Place) -> None:
    place.look_every_second(START)
    assert place.children[0].kills == 0
    place.look_every_second(1)
    assert place.children[0].kills == 1


def test_when_it_is_over_nobody_is_replaced(place: Place) -> None:
    place.slot.end()
    with logged() as lines:
        place.slot.ended("ended with status 0")
    assert lines == []
    assert place.ends == ["ended with status 0"]
    assert not place.clock.getDelayedCalls()
    place.slot.look()


def test_an_end_is_described() -> None:
    assert described(1, None) == "ended with status 1"
    assert described(None, 9) == "was ended by SIGKILL"
    assert described(None, 200) == "was ended by signal 200"
