"""wsrelay.workers.stopping: in which order, with which verdict, and how long it may take."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.workers.log import logged
from tests.workers.test_crew import Team
from tests.workers.test_opening import opening, port_of
from wsrelay.config.settings import Settings
from wsrelay.notify import Notify
from wsrelay.stopping import longest
from wsrelay.successor import Successor
from wsrelay.workers.opening import Opened
from wsrelay.workers.stopping import INDULGENCE, Stopping
from wsrelay.workers.words import FindPlaces, Hurry, Places, Stop


class Stopped:
    """Two workers, and what is to be stopped."""

    def __init__(self, **settings: Any) -> None:
        self.team = Team(2)
        notify = Notify(self.team.clock, lambda: "", {})
        self.stopping = Stopping(self.team.clock, self.team.crew, notify, Settings(**settings))

    def begin(self, *ports: Opened) -> Deferred[None]:
        return Deferred.fromCoroutine(self.stopping.run([ports]))

    def all_end(self) -> None:
        for number in (1, 2):
            self.team.dies(number)


def test_without_others_all_stop_at_once_and_the_parent_waits_for_their_end() -> None:
    stopped = Stopped()
    with opening("tcp:0:interface=127.0.0.1") as [port], logged() as lines:
        done = stopped.begin(port)
        assert stopped.stopping.has_begun
        assert [each.fileno() for each in port.sockets] == [-1, -1], "the workers have theirs"
        assert [stopped.team.said_to(n) for n in (1, 2)] == [[Stop("NONE", [False])]] * 2
        stopped.team.dies(1)
        assert not done.called
        stopped.team.dies(2)
        assert done.called
    assert lines == [], "nobody is missed, and nobody is replaced"
    assert not stopped.team.clock.getDelayedCalls()


def test_with_others_connections_are_dealt_to_them_first() -> None:
    stopped = Stopped()
    with (
        opening("tcp:0:interface=127.0.0.1") as [port],
        opening(f"tcp:{port_of(port)}:interface=127.0.0.1", is_shared=True),
    ):
        stopped.begin(port)
        assert stopped.team.said_to(1) == [FindPlaces()]
        for number in (1, 2):
            stopped.team.hear(number, Places([number - 1]))
        assert stopped.team.said_to(2) == [FindPlaces(), Stop("PRESENT", [True])]
        stopped.all_end()


@pytest.mark.parametrize("said", ["present", "none"])
def test_what_the_operator_says_counts_more(said: Any) -> None:
    stopped = Stopped(successor=said)
    with ExitStack() as stack:
        [port] = stack.enter_context(opening("tcp:0:interface=127.0.0.1"))
        stopped.begin(port)
        assert stopped.team.said_to(1) == [Stop(said.upper(), [False])]
        stopped.all_end()


def test_who_takes_too_long_is_ended() -> None:
    stopped = Stopped(successor="present", drain=20)
    done = stopped.begin()
    stopped.team.dies(1)
    with logged() as lines:
        stopped.team.clock.advance(longest(Successor.PRESENT, 20) + INDULGENCE - 0.1)
        assert stopped.team.children[2].kills == 0
        stopped.team.clock.advance(0.2)
    assert stopped.team.children[2].kills == 1
    assert lines == ["error workers 2 did not stop in time and were ended"]
    stopped.team.dies(2)
    assert done.called


def test_a_second_signal_hurries_all() -> None:
    stopped = Stopped(successor="present", drain=300)
    stopped.begin()
    stopped.stopping.hurry()
    assert stopped.team.said_to(1) == [Stop("PRESENT", []), Hurry()]
    stopped.team.clock.advance(INDULGENCE)
    assert [stopped.team.children[n].kills for n in (1, 2)] == [1, 1]
    stopped.all_end()


def test_a_hurry_while_places_are_sought_is_not_forgotten() -> None:
    stopped = Stopped()
    with (
        opening("tcp:0:interface=127.0.0.1") as [port],
        opening(f"tcp:{port_of(port)}:interface=127.0.0.1", is_shared=True),
    ):
        stopped.begin(port)
        stopped.stopping.hurry()
        for number in (1, 2):
            stopped.team.hear(number, Places([number - 1]))
        assert stopped.team.said_to(1)[-2:] == [Stop("PRESENT", [True]), Hurry()]
        stopped.all_end()


def test_when_all_are_dead_already_there_is_nothing_to_wait_for() -> None:
    stopped = Stopped()
    for slot in stopped.team.crew:
        slot.end()
    stopped.all_end()
    assert stopped.begin().called
