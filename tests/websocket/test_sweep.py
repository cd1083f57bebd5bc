"""Who is silent is pinged after 60 seconds and given up after 90; whoever speaks is left alone."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from tests.memory import Server
from tests.websocket.frames import PONG, frame, say
from wsrelay.pusher.keepalive import TICK, Pulse
from wsrelay.websocket.sweep import Sweep


def pass_time(relay: Server, seconds: int) -> None:
    """Second by second, as a reactor lives through it."""
    for _ in range(seconds):
        relay.advance(1)


def test_a_silent_client_is_pinged_after_60_seconds_and_stays_when_he_answers(
    relay: Server,
) -> None:
    guest = relay.guest()
    pass_time(relay, 59)
    assert guest.pings == 0
    pass_time(relay, 8)
    assert guest.pings == 1
    pass_time(relay, 600)
    assert guest.line.is_open
    assert 9 <= guest.pings <= 11


def test_a_dead_client_is_closed_with_4201_after_90_seconds(relay: Server) -> None:
    guest = relay.guest()
    guest.is_alive = False
    pass_time(relay, 88)
    assert guest.farewell is None
    pass_time(relay, 8)
    [error] = guest.take()
    assert error["event"] == "pusher:error"
    assert error["data"]["code"] == 4201
    assert guest.farewell == (4201, error["data"]["message"])


def test_a_dead_client_is_told_goodbye_once_and_cut_off(relay: Server) -> None:
    watcher = relay.guest()
    watcher.subscribe("presence-room", '{"user_id":"ada"}')
    guest = relay.guest()
    guest.subscribe("presence-room", '{"user_id":"bob"}')
    relay.turn()
    guest.take()
    guest.is_alive = False
    pass_time(relay, 110)
    assert len(guest.take()) == 1
    assert not guest.line.is_open
    assert watcher.take()[-1]["event"] == "pusher_internal:member_removed"
    assert watcher.line.is_open


@pytest.mark.parametrize(
    "word",
    [say("pusher:ping"), frame(b"", PONG), b"\x81"],
    ids=["a message", "a control frame", "half a frame"],
)
def test_whatever_arrives_counts_as_a_sign_of_life(relay: Server, word: bytes) -> None:
    guest = relay.guest()
    guest.is_alive = False
    for _ in range(4):
        pass_time(relay, 50)
        guest.line.send(word)
    assert guest.pings == 0
    assert guest.line.is_open


def test_what_is_sent_to_a_client_is_no_sign_of_his_life(relay: Server) -> None:
    speaker, listener = relay.guest("private-room"), relay.guest("private-room")
    listener.is_alive = False
    for _ in range(20):
        speaker.whisper("private-room", "are you there?")
        pass_time(relay, 5)
    assert listener.farewell is not None
    assert listener.farewell[0] == 4201
    assert speaker.farewell is None


# -- the sweep itself ------------------------------------------------------------------------


class Silent:
    """A connection from which nothing ever comes."""

    def __init__(self) -> None:
        self.pulse = Pulse()
        self.pings = 0
        self.is_gone = False

    def ping(self) -> None:
        assert not self.is_gone
        self.pings += 1

    def give_up(self) -> None:
        assert not self.is_gone
        self.is_gone = True


@pytest.fixture
def faults() -> list[LogEvent]:
    """Failures in the log."""
    found: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            found.append(event)

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


def swept(clock: Clock, many: int) -> tuple[Sweep, list[Silent]]:
    """A started sweep over ``many`` silent connections."""
    sweep = Sweep(clock)
    connections = [Silent() for _ in range(many)]
    for connection in connections:
        sweep.add(connection)
    sweep.start()
    return sweep, connections


def ticks(clock: Clock, seconds: float) -> None:
    for _ in range(round(seconds / TICK)):
        clock.advance(TICK)


def test_a_thousand_pings_leave_the_reactor_its_turn() -> None:
    clock = Clock()
    _, connections = swept(clock, 1000)
    ticks(clock, 60)
    pinged: list[int] = []
    clock.callLater(TICK, lambda: clock.callLater(0, look))

    def look() -> None:
        pinged.append(sum(each.pings for each in connections))

    clock.advance(TICK)
    assert 0 < pinged[0] < 1000
    assert sum(each.pings for each in connections) == 1000


def test_a_connection_that_goes_while_others_are_looked_at_is_left_alone(
    faults: list[LogEvent],
) -> None:
    clock = Clock()
    sweep, connections = swept(clock, 1000)
    ticks(clock, 85)

    def all_go() -> None:
        for each in connections:
            if not each.is_gone:
                each.is_gone = True
                sweep.discard(each)

    clock.callLater(TICK, lambda: clock.callLater(0, all_go))
    ticks(clock, 10)
    assert faults == []


def test_one_faulty_connection_does_not_end_the_sweep(faults: list[LogEvent]) -> None:
    clock = Clock()
    sweep, connections = swept(clock, 3)

    class Faulty(Silent):
        def ping(self) -> None:
            raise RuntimeError("a fault of ours")

    sweep.add(Faulty())
    ticks(clock, 120)
    assert all(each.pings for each in connections)
    assert all(each.is_gone for each in connections)
    assert len(faults) == 1


def test_a_sweep_that_is_stopped_halfway_stops_quietly(faults: list[LogEvent]) -> None:
    clock = Clock()
    sweep, _ = swept(clock, 1000)
    clock.callLater(TICK, lambda: clock.callLater(0, sweep.stop))
    ticks(clock, 30)
    assert faults == []
    assert clock.getDelayedCalls() == []


def test_it_is_empty_when_the_last_connection_has_gone() -> None:
    clock = Clock()
    sweep, connections = swept(clock, 2)
    emptied = sweep.when_empty(5)
    sweep.discard(connections[0])
    assert not emptied.called
    sweep.discard(connections[1])
    assert emptied.called


def test_it_is_taken_for_empty_when_it_is_so_already_or_time_is_up() -> None:
    clock = Clock()
    assert Sweep(clock).when_empty(5).called
    sweep, connections = swept(clock, 2)
    emptied = sweep.when_empty(5)
    clock.advance(4.9)
    assert not emptied.called
    clock.advance(0.2)
    assert emptied.called
    for each in connections:
        sweep.discard(each)
