"""wsrelay.stopping: what happens in which order, to whom, and how long it may take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.loopback import request
from tests.memory import Server, handshake, running
from tests.signing import APP
from tests.websocket.frames import read_frames
from wsrelay.config.settings import Settings
from wsrelay.pusher.keepalive import TICK
from wsrelay.stopping import CLOSE_TIMEOUT, CLOSE_TIMEOUT_WITHOUT_SUCCESSOR, GRACE


@contextmanager
def with_successor(drain: float = 5.0) -> Iterator[Server]:
    with running(Settings(apps=(APP,), successor="present", drain=drain)) as relay:
        yield relay


def stop(relay: Server) -> Any:
    """Fires when it has stopped."""
    return relay.service.stopService()


def go_on(relay: Server, seconds: float) -> None:
    for _ in range(round(seconds * 20)):
        relay.advance(0.05)


def test_clients_are_told_4200_where_a_successor_is() -> None:
    with with_successor() as relay:
        guests = [relay.guest("room") for _ in range(10)]
        stopped = stop(relay)
        go_on(relay, 5.1)
        for guest in guests:
            [error] = guest.take()
            assert error["data"] == {"code": 4200, "message": "the server is stopping"}
            assert guest.farewell == (4200, "the server is stopping")
            assert not guest.line.was_aborted
        assert stopped.called


def test_they_are_closed_one_after_the_other_over_the_time_of_the_drain() -> None:
    with with_successor(drain=10.0) as relay:
        guests = [relay.guest() for _ in range(100)]
        stop(relay)
        for second in range(1, 11):
            go_on(relay, 1.0)
            assert abs(sum(guest.line.is_open for guest in guests) - (100 - 10 * second)) <= 2


def test_the_quiet_are_closed_first() -> None:
    with with_successor(drain=4.0) as relay:
        quiet = [relay.guest() for _ in range(10)]
        busy = [relay.guest("private-room") for _ in range(10)]
        relay.advance(TICK)
        relay.advance(TICK)
        for guest in busy:
            guest.whisper("private-room", 1)
        stop(relay)
        go_on(relay, 2.05)  # a slice may be that late; by then the first of the busy may have to go
        assert not any(guest.line.is_open for guest in quiet)
        assert sum(guest.line.is_open for guest in busy) >= 9
        go_on(relay, 2.05)
        assert not any(guest.line.is_open for guest in busy)


def test_who_is_not_closed_yet_is_served_as_ever() -> None:
    with with_successor() as relay:
        guests = [relay.guest("private-room") for _ in range(20)]
        stop(relay)
        go_on(relay, 1.0)
        left = [guest for guest in guests if guest.line.is_open]
        assert len(left) >= 2
        left[0].whisper("private-room", "still here")
        relay.turn()
        for guest in left[1:]:
            assert guest.take()[-1]["event"] == "client-told"


def test_it_is_not_ready_from_the_first_moment_on() -> None:
    with with_successor() as relay:
        relay.guest()
        assert relay.service.readiness.is_ready
        stop(relay)
        assert relay.service.readiness.reasons == ("the server is stopping",)


def test_who_comes_in_late_is_told_to_wait_a_second() -> None:
    with with_successor() as relay:
        relay.guest()
        late = relay.line()
        stop(relay)
        late.send(handshake())
        relay.turn()
        error, farewell = read_frames(late.read().partition(b"\r\n\r\n")[2])
        assert json.loads(error.payload)["data"]["code"] == 4100
        assert farewell.close_code == 4100


@pytest.mark.parametrize("said", ["auto", "none"])
def test_without_a_successor_nobody_is_waited_for(said: Any) -> None:
    with running(Settings(apps=(APP,), successor=said, drain=300)) as relay:
        guests = [relay.guest() for _ in range(300)]
        guests[0].is_alive = False
        stopped = stop(relay)
        relay.turn()
        assert {guest.farewell for guest in guests} == {(4100, "the server is stopping")}
        assert not stopped.called
        go_on(relay, CLOSE_TIMEOUT_WITHOUT_SUCCESSOR + 0.05)
        assert stopped.called


def test_who_does_not_answer_has_his_time_where_nobody_waits_for_the_end() -> None:
    with with_successor(drain=0) as relay:
        relay.guest().is_alive = False
        stopped = stop(relay)
        go_on(relay, CLOSE_TIMEOUT - 0.1)
        assert not stopped.called
        go_on(relay, 0.3)
        assert stopped.called


def test_a_backend_that_asks_just_now_is_answered() -> None:
    with running() as relay:
        kept = relay.line()
        kept.send(request("GET", "/up"))
        relay.turn()
        assert kept.read()
        fresh = relay.line()
        stopped = stop(relay)
        for line in (kept, fresh):
            relay.advance(GRACE / 3)
            line.send(request("GET", "/up"))
            relay.turn()
            assert b"Connection: close" in line.read()
        assert stopped.called


def test_a_backend_that_asks_nothing_holds_nothing_up() -> None:
    with running() as relay:
        line = relay.line()
        stopped = stop(relay)
        relay.advance(GRACE / 2)
        assert line.is_open
        relay.advance(GRACE / 2)
        assert not line.is_open
        assert stopped.called


def test_a_request_that_never_ends_holds_nothing_up() -> None:
    with running() as relay:
        relay.line().send(b"POST /apps/1001/events HTTP/1.1\r\nContent-")
        stopped = stop(relay)
        relay.advance(CLOSE_TIMEOUT_WITHOUT_SUCCESSOR)
        assert stopped.called


@pytest.mark.parametrize("passed", [0.0, 2.0, 5.2])
def test_in_a_hurry_it_ends_at_once_and_everybody_has_his_close_frame(passed: float) -> None:
    with with_successor() as relay:
        guests = [relay.guest() for _ in range(20)]
        for guest in guests:
            guest.is_alive = False
        relay.line().send(b"GET /half")
        stopped = stop(relay)
        go_on(relay, passed)
        assert not stopped.called
        relay.service.stopping.hurry()
        relay.service.stopping.hurry()
        relay.turn()
        assert stopped.called
        assert {guest.farewell for guest in guests} == {(4200, "the server is stopping")}


def test_a_fault_of_the_messenger_does_not_keep_it_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running() as relay:

        async def fail(seconds: float) -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(relay.service.messenger, "stop", fail)
        stopped = stop(relay)
        relay.turn()
        assert stopped.called
        assert len(relay.service.relay.hub) == 0
