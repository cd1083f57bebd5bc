"""wsrelay.workers.serving: a worker in memory, whose parent is the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import txaio
from msgspec import structs
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from tests.signing import APP
from tests.unwatched import unwatched
from tests.workers.log import logged
from wsrelay.config.handed import packed
from wsrelay.config.settings import Certificate, Settings, TlsListener
from wsrelay.successor import Successor
from wsrelay.workers.serving import GIVE_UP, LAST_WORDS, Serving
from wsrelay.workers.words import (
    BEAT,
    Beat,
    Failed,
    FindPlaces,
    Hurry,
    Introduce,
    Judged,
    Places,
    Prepare,
    Ready,
    Said,
    Start,
    Stop,
    TakeUp,
    framed,
    reader_of_worker,
)

START = Settings(apps=(APP,))


class Parent:
    """The other end of a worker's pipes, as the worker's transport."""

    def __init__(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.heard: list[Any] = []
        self.alarms: list[float] = []
        self.has_ended = False
        self.is_closed = False
        self._reader = reader_of_worker(self.heard.append)
        self.serving = Serving(self.reactor, self._end, self.alarms.append)
        self.producer: Any = None
        self.serving.wire.makeConnection(self)  # type: ignore[arg-type]

    def _end(self) -> None:
        assert not self.has_ended
        self.has_ended = True

    def say(self, *words: Any) -> None:
        for word in words:
            self.serving.wire.dataReceived(framed(word))

    def start(self, settings: Settings = START) -> None:
        self.say(Start(1, packed(unwatched(settings)), [[]], {}))

    def take(self, kind: type[Any]) -> list[Any]:
        found = [word for word in self.heard if isinstance(word, kind)]
        self.heard.clear()
        return found

    def vanish(self) -> None:
        self.serving.wire.connectionLost(Failure(ConnectionDone()))

    @property
    def relay(self) -> Any:
        return self.serving._relay

    # -- the transport -----------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        self._reader.dataReceived(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        self.is_closed = True


@pytest.fixture
def parent() -> Iterator[Parent]:
    made = Parent()
    loop, txaio.config.loop = txaio.config.loop, made.reactor
    yield made
    txaio.config.loop = loop


def advance(parent: Parent, seconds: float) -> None:
    for _ in range(round(seconds * 4)):
        parent.reactor.advance(0.25)


def test_it_serves_and_says_once_a_second_how_it_goes(parent: Parent) -> None:
    parent.start()
    assert [type(word) for word in parent.heard] == [Beat, Ready]
    parent.heard.clear()
    advance(parent, 3 * BEAT)
    beats = parent.take(Beat)
    assert len(beats) == 3
    assert beats[0].status["ready"] is True
    assert "wsrelay_connections" in [family.name for family in beats[0].families]
    assert set(parent.alarms) == {GIVE_UP}
    assert len(parent.alarms) == 5


def test_it_introduces_the_relay_when_it_is_told_to(parent: Parent) -> None:
    with logged() as lines:
        parent.start()
        assert not any("Listening on" in line for line in lines)
        parent.say(Introduce())
    assert any("Listening on" in line for line in lines)


def test_who_can_not_start_says_why_and_ends(parent: Parent) -> None:
    nowhere = Certificate(cert="/nowhere.pem", key="/nowhere.pem")
    parent.start(structs.replace(START, tls=(TlsListener(certificates=(nowhere,)),)))
    why = "tls: /nowhere.pem: can't be read: No such file or directory"
    assert parent.heard == [Failed(why)]
    assert (parent.is_closed, parent.has_ended) == (True, False)
    parent.say(Introduce(), Hurry())  # too late
    parent.vanish()
    assert parent.has_ended
    assert parent.serving.fault == why
    parent.reactor.advance(LAST_WORDS)


def test_a_fault_of_ours_is_told_as_well(parent: Parent) -> None:
    with logged() as lines:
        parent.say(Start(1, b"nonsense", [], {}))
    assert "a worker could not start" in lines[0]
    assert len(parent.take(Failed)) == 1
    parent.reactor.advance(LAST_WORDS)  # nobody listens
    assert parent.has_ended


def test_settings_are_judged_first_and_taken_up_when_all_agree(parent: Parent) -> None:
    parent.start()
    other = structs.replace(APP, id="2002", key="other")
    new = unwatched(structs.replace(START, apps=(APP, other)))
    parent.say(Prepare(packed(new)))
    assert parent.take(Judged) == [Judged("")]
    assert len(parent.relay.apps) == 1
    parent.say(TakeUp())
    assert len(parent.relay.apps) == 2
    parent.say(TakeUp())  # nothing is prepared
    twins = structs.replace(new, apps=(APP, APP))
    parent.say(Prepare(packed(twins)), TakeUp())
    [judged] = parent.take(Judged)
    assert "two apps" in judged.fault
    assert len(parent.relay.apps) == 2


def test_places_are_found_for_each_dealt_socket(parent: Parent) -> None:
    parent.start()
    parent.say(FindPlaces())
    assert parent.take(Places) == [Places([])]


@pytest.mark.parametrize(
    ("successor", "code"), [(Successor.NONE, 4100), (Successor.EXPECTED, 4200)]
)
def test_it_stops_as_it_is_told_and_tells_its_totals_last(
    successor: Successor, code: int, parent: Parent
) -> None:
    with logged() as lines:
        parent.start()
        parent.heard.clear()
        parent.say(Stop(successor.name, []))
        parent.say(Stop(successor.name, []))
        advance(parent, 2)
    assert any(f"connections are told {code}" in line for line in lines)
    assert isinstance(parent.heard[-1], Beat)
    assert (parent.is_closed, parent.producer) == (True, None)
    parent.vanish()
    assert parent.has_ended
    advance(parent, LAST_WORDS)
    assert not parent.reactor.getDelayedCalls()


def test_a_hurry_is_passed_on(parent: Parent) -> None:
    parent.start()
    parent.say(Stop("PRESENT", []), Hurry())
    assert parent.relay.stopping._is_hurried


def test_without_its_parent_it_ends_in_order(parent: Parent) -> None:
    with logged() as lines:
        parent.start()
        parent.vanish()
        advance(parent, 2)
    assert any("Stopping: 0 connections are told 4100" in line for line in lines)
    assert parent.has_ended
    assert not parent.reactor.getDelayedCalls()


def test_a_parent_who_goes_before_the_start_is_the_end(parent: Parent) -> None:
    parent.vanish()
    assert parent.has_ended


def test_a_parent_who_goes_while_it_stops_changes_nothing(parent: Parent) -> None:
    parent.start()
    parent.say(Stop("NONE", []))
    parent.vanish()
    advance(parent, 2)
    assert parent.has_ended


def test_while_the_parent_does_not_read_lines_are_counted_instead(parent: Parent) -> None:
    say: Callable[[Any], None] = parent.serving.wire.say
    parent.producer.pauseProducing()
    for _ in range(3):
        say(Said(0.0, "info", "wsrelay", "text", {}))
    say(Beat({}, ()))
    say(Judged(""))
    assert parent.heard == [Judged("")], "what has to arrive waits in the pipe"
    with logged() as lines:
        parent.producer.resumeProducing()
    assert lines == ["warn 3 lines of the log are lost: the parent did not take them in time"]
    parent.producer.stopProducing()
