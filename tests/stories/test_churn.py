"""People come, talk and vanish, over and over: a relay is afterwards as it was before.

1500 connections to a real process by default; ``WSRELAY_TEST_CHURN=200000`` makes them as many. How
much memory was resident is said now and then on the terminal.
"""

from __future__ import annotations

import gc
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.memory import Server, handshake
from tests.memory import running as running_in_memory
from tests.signing import APP, SECRET, channel_auth, event, signed_target, signin_auth
from tests.stories.processes import Process, running
from tests.stories.sockets import DEADLINE, Client, Crowd
from tests.websocket.frames import close_frame, frame, inflated, read_frames, say
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App

VISITS = int(os.environ.get("WSRELAY_TEST_CHURN", "1500"))
#: Visitors at a time.
PARTY = 25
#: Bytes by which resident memory may differ for no reason: a visitor who is forgotten
#: about costs 7000, and a thousand are when nobody is.
FLAT = 3 * 1024 * 1024

CONFIGURATION = f"""\
host = "127.0.0.1"
port = 0

[[apps]]
id = "{APP.id}"
key = "{APP.key}"
secret = "{SECRET}"
"""

SUCCEEDED = b"pusher_internal:subscription_succeeded"


# -- a real process --------------------------------------------------------------------------


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Process]:
    (tmp_path / "wsrelay.toml").write_text(CONFIGURATION)
    command = ("twistd", "--nodaemon", "--pidfile=", "wsrelay", "--config", "wsrelay.toml")
    with running(*command, cwd=tmp_path) as process:
        yield process


def ask(http: HTTPConnection, method: str, path: str, body: bytes = b"") -> Any:
    http.request(method, signed_target(method, f"/apps/{APP.id}/{path}", body), body or None)
    response = http.getresponse()
    answer = json.loads(response.read())
    assert response.status == 200, answer
    return answer


def party(crowd: Crowd, http: HTTPConnection, number: int) -> None:
    """Some come together, talk with each other, and go in all the ways there are."""
    guests = [crowd.client() for _ in range(PARTY)]
    for at, guest in enumerate(guests):
        guest.subscribe(f"room-{number}-{at}")
        guest.subscribe(f"private-{number}")
        guest.subscribe(f"presence-{number % 7}", user_id=f"{number}-{at}")
    wait_for(crowd, guests, SUCCEEDED, 3)
    for at, guest in enumerate(guests):
        guest.send(say("client-told", channel=f"private-{number}", data=f"I am {at}"))
    wait_for(crowd, guests, b'"client-told"', PARTY - 1)
    ask(http, "POST", "events", event(f"room-{number}-0", "hello"))
    wait_for(crowd, guests[:1], b'"told"', 1)
    for at, guest in enumerate(guests):
        if at % 3 == 0:
            guest.send(close_frame(1000))
        elif at % 3 == 1:
            guest.reset()
        else:
            guest.send(frame(b'{"event":"pusher:ping"}')[:9])  # in the middle of a word
            guest.hang_up()
    crowd.look_until(lambda: not any(guest.is_open for guest in guests))


def wait_for(crowd: Crowd, guests: list[Client], what: bytes, times: int) -> None:
    """Everybody was told of it so often."""
    crowd.look_until(
        lambda: all(sum(what in message for message in guest.messages) == times for guest in guests)
    )


def test_a_relay_remembers_nothing_of_those_who_have_gone(
    relay: Process, tell: Callable[[str], None]
) -> None:
    crowd = Crowd(relay.port)
    http = HTTPConnection("127.0.0.1", relay.port, timeout=DEADLINE)
    ask(http, "GET", "channels")
    descriptors = relay.descriptors
    resident = {0: relay.resident}
    parties = -(-VISITS // PARTY)
    steps = {parties * step // 10 for step in range(1, 11)}
    started = time.monotonic()
    for number in range(1, parties + 1):
        party(crowd, http, number)
        if number in steps:
            resident[number] = relay.resident
            seconds = time.monotonic() - started
            tell(
                f"{number * PARTY} connections in {seconds:.0f} s, "
                f"{resident[number] / 1e6:.1f} MB resident"
            )
    latest = time.monotonic() + DEADLINE
    while relay.descriptors > descriptors:
        assert time.monotonic() < latest, "connections are still open"
        time.sleep(0.01)
    assert ask(http, "GET", "channels") == {"channels": {}}
    http.close()
    crowd.close()
    third = min(at for at in resident if at >= parties // 3)
    assert resident[parties] - resident[third] < FLAT, resident
    relay.end()
    assert len(re.findall(r": \S+ opened \d", relay.text)) == parties * PARTY
    assert len(re.findall(r": \S+ closed \d", relay.text)) == parties * PARTY
    assert "Traceback" not in relay.text


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """A line on the terminal when somebody wants to look at it."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say_it(line: str) -> None:
        if "WSRELAY_TEST_CHURN" in os.environ:
            with capture.global_and_fixture_disabled():
                print(f"\n{line}", end="", flush=True)  # noqa: T201

    return say_it


# -- in memory: every registry there is ------------------------------------------------------


def census(root: Any) -> Counter[str]:
    """How many are in each container that can be reached from ``root`` by way of our own objects.

    Whoever adds a registry need not name it here.
    """
    found: Counter[str] = Counter()
    seen: set[int] = set()
    rest: list[tuple[str, Any]] = [(type(root).__name__, root)]
    while rest:
        path, one = rest.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            found[path] += len(one)
            rest += [(f"{path}{{}}", each) for each in one.values()]
        elif isinstance(one, (list, tuple, set, frozenset)) or type(one).__name__ == "deque":
            found[path] += len(one)
            rest += [(f"{path}[]", each) for each in one]
        elif type(one).__module__.startswith("wsrelay."):
            rest += [(f"{path}.{name}", value) for name, value in attributes(one)]
        elif callable(one) and hasattr(one, "__self__"):  # a method that somebody was given
            rest.append((path, one.__self__))
    return +found


def attributes(one: Any) -> Iterator[tuple[str, Any]]:
    names = [*getattr(one, "__dict__", ())]
    for kind in type(one).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    for name in names:
        if hasattr(one, name):
            yield name, getattr(one, name)


def our_objects() -> Counter[str]:
    """How many objects of our classes are alive."""
    while gc.collect():  # a coroutine that is collected ends first, and goes by the next one
        pass
    kinds = (type(one) for one in gc.get_objects())
    return Counter(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in kinds
        if str(kind.__module__).startswith("wsrelay.")
    )


class MemoryParty:
    """Visitors who are all there at once, each on a line of its own."""

    def __init__(self, relay: Server, number: int) -> None:
        self._relay = relay
        self._lines = [relay.line() for _ in range(PARTY)]
        offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        for at, line in enumerate(self._lines):
            line.send(handshake(headers=offer if at % 2 else b""))
            relay.turn()
            self._join(line, f"{number}-{at}", number)
        relay.turn()

    def _join(self, line: Any, name: str, number: int) -> None:
        welcome = read_frames(line.read().partition(b"\r\n\r\n")[2])[0]
        socket_id = re.findall(rb"[0-9]+\.[0-9]+", inflated_if(welcome))[0].decode()
        user = json.dumps({"id": name, "watchlist": ["1-1", "2-2", "3-3"]})
        line.send(
            say("pusher:signin", data={"auth": signin_auth(socket_id, user), "user_data": user})
        )
        member = json.dumps({"user_id": name})
        for channel, data in (
            (f"room-{name}", None),
            (f"cache-{number % 5}", None),
            (f"private-{number}", None),
            (f"private-cache-{number % 5}", None),
            (f"presence-{number % 7}", member),
            (f"presence-{number}", member),
        ):
            asked = {"channel": channel, "auth": channel_auth(socket_id, channel, data)}
            if data is not None:
                asked["channel_data"] = data
            line.send(say("pusher:subscribe", data=asked))
        line.send(say("client-told", channel=f"private-{number}", data=name))

    def go(self) -> None:
        """In all the ways there are."""
        for at, line in enumerate(self._lines):
            if at % 4 == 0:
                line.send(close_frame(1000))
            elif at % 4 == 1:
                line.send(frame(b"half")[:7])
            elif at % 4 == 2:
                line.send(frame(b"a", is_final=False))
            else:
                line.is_read = False
        self._relay.turn()
        for line in self._lines:
            line.hang_up()


def inflated_if(sent: Any) -> bytes:
    payload: bytes = inflated(sent.payload) if sent.is_compressed else sent.payload
    return payload


def test_no_registry_grows() -> None:
    app = App(id=APP.id, key=APP.key, secret=APP.secret, subscription_count=True, watchlist=True)
    settings = Settings(
        apps=(app,), deflate=True, max_connections_per_ip=1000, connection_rate_per_ip=100_000
    )
    with running_in_memory(settings) as relay:
        publishing = relay.line()

        def publish(channel: str) -> None:
            body = event(channel, "x")
            target = signed_target("POST", f"/apps/{APP.id}/events", body)
            head = f"POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            publishing.send(head.encode() + body)

        def parties(numbers: range) -> tuple[Counter[str], Counter[str]]:
            """What there is when they are over, and all that they left behind had its time."""
            for number in numbers:
                party = MemoryParty(relay, number)
                publish(f"cache-{number % 5}")
                publish(f"private-{number}")
                relay.turn()
                if number == numbers[-1]:
                    assert census(relay.service) - before, "or nobody would be seen"
                party.go()
                del party
            publishing.read()
            relay._lines = [publishing]
            relay._wires.clear()
            for _ in range(60):
                relay.advance(1)
            found = census(relay.service)
            found["reactor"] = len(relay.reactor.getDelayedCalls())
            return found, our_objects()

        before = census(relay.service)
        first = parties(range(7))
        for later in (range(7, 14), range(14, 42)):
            second = parties(later)
            assert second[0] == first[0]
            assert second[1] == first[1]
