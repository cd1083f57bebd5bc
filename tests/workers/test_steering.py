"""wsrelay.workers.steering, with the real kernel: whose connections go where."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from twisted.internet.defer import Deferred

from tests.workers.log import logged
from tests.workers.test_crew import Team, result
from tests.workers.test_opening import opening, port_of, taken_by
from wsrelay.workers.crew import PATIENCE
from wsrelay.workers.steering import steer_away
from wsrelay.workers.words import FindPlaces, Places


def test_where_nobody_else_listens_nobody_is_asked() -> None:
    team = Team(2)
    with opening("tcp:0:interface=127.0.0.1") as dealt:
        steered = Deferred.fromCoroutine(steer_away(team.crew, dealt))
        assert result(steered) == [False]
    assert team.said_to(1) == []


def test_connections_to_come_go_to_the_others_and_to_none_of_the_workers() -> None:
    team = Team(2)
    with (
        opening("tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1") as dealt,
        opening(f"tcp:{port_of(dealt[0])}:interface=127.0.0.1", is_shared=True) as [other],
        ExitStack() as stack,
    ):
        steered = Deferred.fromCoroutine(steer_away(team.crew, dealt))
        assert team.said_to(1) == [FindPlaces()]
        assert team.said_to(2) == [], "one after the other"
        # In a group, places are in the order in which sockets began to listen.
        team.hear(1, Places([0, 0]))
        team.hear(2, Places([1, 1]))
        assert result(steered) == [True, False]
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(dealt[0]))))
        assert taken_by(dealt[0]) == [0, 0]
        assert sum(taken_by(other)) == 40


def test_when_a_place_is_not_found_it_is_said() -> None:
    team = Team(2)
    with (
        opening("tcp:0:interface=127.0.0.1") as dealt,
        opening(f"tcp:{port_of(dealt[0])}:interface=127.0.0.1", is_shared=True),
        logged() as lines,
    ):
        steered = Deferred.fromCoroutine(steer_away(team.crew, dealt))
        team.hear(1, Places([None]))
        team.clock.advance(PATIENCE)  # and the other one is silent
        assert result(steered) == [False]
    assert lines == [
        "warn connections can't be dealt to the other processes: not all of the workers' own "
        "sockets were found"
    ]
