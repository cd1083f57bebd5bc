"""wsrelay.workers.parent: a parent in memory, whose workers are the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import structs

from tests.signing import APP
from tests.workers.log import logged
from tests.workers.test_child import Spawning
from wsrelay.config.handed import unpacked
from wsrelay.config.settings import Settings
from wsrelay.core.apps import Secret
from wsrelay.listening import CannotStart
from wsrelay.workers.parent import LOOK, WorkersService
from wsrelay.workers.slot import HANG
from wsrelay.workers.words import (
    Beat,
    Failed,
    Introduce,
    Judged,
    Ready,
    Said,
    Start,
    Stop,
    reader_of_parent,
)

SETTINGS = Settings(
    apps=(APP,), host="127.0.0.1", port=0, workers=2, metrics_port=0, redis=Secret("redis://x")
)


class Family:
    """A parent of two, and what it says to them."""

    def __init__(self, reactor: Any, **settings: Any) -> None:
        self.reactor = reactor
        self.next = structs.replace(SETTINGS, **settings)
        self.has_given_up = False
        self.service = WorkersService(
            self.next, 2, reactor, None, lambda: self.next, self._give_up, reactor.seconds
        )

    def _give_up(self) -> None:
        self.has_given_up = True

    def start(self) -> None:
        self.service.privilegedStartService()
        self.service.startService()

    def hear(self, number: int, word: Any) -> None:
        self.service.crew.slots[number - 1].hear(word)

    def both(self, word: Any) -> None:
        for number in (1, 2):
            self.hear(number, word)

    def said_to(self, number: int) -> list[Any]:
        words: list[Any] = []
        child: Any = self.service.crew.slots[number - 1]._child
        reading = reader_of_parent(words.append)
        for _, data in child.transport.written:
            reading.dataReceived(data)
        return words

    def dies(self, number: int) -> None:
        self.service.crew.slots[number - 1].ended("was ended by SIGKILL")


@pytest.fixture
def family() -> Iterator[Family]:
    with parent() as made:
        yield made


@contextmanager
def parent(**settings: Any) -> Iterator[Family]:
    reactor = Spawning()
    reactor.running = True
    made = Family(reactor, **settings)
    made.start()
    yield made
    stopped = made.service.stopService()
    for number in (1, 2):
        if made.service.crew.slots[number - 1].is_alive:
            made.dies(number)
    assert stopped.called
    assert not reactor.getDelayedCalls()


def test_each_worker_is_given_its_own_sockets_and_the_same_settings(family: Family) -> None:
    [first], [second] = family.said_to(1), family.said_to(2)
    assert isinstance(first, Start)
    assert (first.number, second.number) == (1, 2)
    assert unpacked(first.settings) == unpacked(second.settings) == SETTINGS
    [[given]] = first.places
    assert (given.descriptor, given.is_dealt, given.is_inherited) == (5, True, False)
    descriptors = [more["childFDs"][5] for _, _, more in family.reactor.spawned]
    assert len(set(descriptors)) == 2


def test_when_all_serve_one_of_them_introduces_the_relay(family: Family) -> None:
    with logged() as lines:
        family.hear(2, Ready())
        assert lines == []
        family.hear(1, Ready())
        family.hear(1, Said(0.0, "info", "wsrelay", "Listening", {}))
    assert lines == [
        "info 2 workers serve (processes 4711, 4711)",
        "info worker 1: Listening",
    ]
    assert family.said_to(1)[1:] == [Introduce()]


def test_who_is_replaced_is_said(family: Family) -> None:
    family.both(Ready())
    with logged() as lines:
        family.dies(2)
        family.reactor.advance(0)
        family.hear(2, Ready())
    assert lines[1:] == ["info worker 2 serves (process 4711)"]
    assert [type(word) for word in family.said_to(2)] == [Start]


@pytest.mark.parametrize("by", ["its word", "its end"])
def test_one_that_can_not_start_ends_the_whole_with_one_line(by: str) -> None:
    with logged() as lines, parent() as family:
        family.hear(1, Ready())
        if by == "its word":
            family.hear(2, Failed("redis: why"))
        family.dies(2)
        assert family.has_given_up
    why = (
        "worker 2: redis: why"
        if by == "its word"
        else ("worker 2 was ended by SIGKILL before it served")
    )
    assert lines == [f"critical can't start: {why}"]


def test_when_none_can_be_started_the_start_itself_fails() -> None:
    reactor = Spawning()

    def refuse(*args: Any, **more: Any) -> None:
        raise PermissionError(13, "Permission denied", "/python3")

    reactor.spawnProcess = refuse  # type: ignore[method-assign]
    family = Family(reactor)
    with pytest.raises(CannotStart, match=r"could not be started: .*Permission denied: '/python3'"):
        family.start()
    family.service.stopService()


def test_a_worker_that_hangs_is_ended_but_not_because_the_parent_hung(family: Family) -> None:
    family.both(Ready())
    [first, second] = [slot._child.transport for slot in family.service.crew]  # type: ignore[union-attr]
    with logged() as lines:
        family.reactor.advance(HANG * 5)  # the parent, in one leap
        assert lines == []
        for _ in range(round(HANG / LOOK) + 1):
            family.hear(1, Beat({}, ()))
            family.reactor.advance(LOOK)
    assert (first.signals, second.signals) == ([], ["KILL"])


def test_reloads_are_one_after_the_other(family: Family) -> None:
    family.both(Ready())
    family.next = structs.replace(SETTINGS, max_body_bytes=5000)
    with logged() as lines:
        family.service.reload()
        family.service.reload()
        family.both(Judged(""))
        assert len(lines) == 1
        family.both(Judged(""))
    assert lines == ["info Reload: done by 2 workers"] * 2


def test_it_stops_as_one(family: Family) -> None:
    family.both(Ready())
    stopped = family.service.stopService()
    assert family.said_to(2)[-1] == Stop("NONE", [False])
    family.service.reload()  # too late
    family.dies(1)
    family.hear(2, Beat({}, ()))
    assert not stopped.called


def test_its_metrics_are_on_one_port() -> None:
    with parent(metrics_port=9700) as family:
        assert [port for port, *_ in family.reactor.tcpServers] == [9700]
