"""wsrelay.drain: the plan, and its execution on a clock."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from wsrelay.drain import PAUSE, SLICE, Drain, plan

silences = st.lists(st.sampled_from([0.0, 5.0, 10.0, 85.0]), max_size=200)


@given(silences, st.floats(0, 300), st.randoms(use_true_random=False))
def test_everybody_has_one_moment_before_the_end_and_moments_do_not_go_back(
    silences: list[float], seconds: float, chance: random.Random
) -> None:
    planned = plan(silences, seconds, chance.random)
    assert sorted(index for _, index in planned) == list(range(len(silences)))
    moments = [moment for moment, _ in planned]
    assert moments == sorted(moments)
    assert all(0 <= moment <= seconds for moment in moments)


@given(silences, st.randoms(use_true_random=False))
def test_who_was_silent_for_longer_goes_first(silences: list[float], chance: random.Random) -> None:
    order = [silences[index] for _, index in plan(silences, 5.0, chance.random)]
    assert order == sorted(order, reverse=True)


def test_moments_are_spread_evenly_and_by_chance() -> None:
    planned = plan([0.0] * 1000, 10.0, random.Random(1).random)
    for tenth in range(10):
        assert sum(tenth <= moment < tenth + 1 for moment, _ in planned) == 100
    assert len({round(moment * 100 % 1, 6) for moment, _ in planned}) > 900
    assert [index for _, index in planned] != sorted(index for _, index in planned)


class Hall:
    """Clients that are numbers, and when they were sent away."""

    def __init__(self, many: int, seconds: float) -> None:
        self.clock = Clock()
        self.sent: list[tuple[float, int]] = []
        self.drain = Drain(
            self.clock, range(many), lambda client: float(client), self.send_away, seconds
        )
        self.has_ended = False
        self.drain.done.addCallback(self._end)

    def send_away(self, client: int) -> None:
        self.sent.append((self.clock.seconds(), client))

    def _end(self, _: None) -> None:
        self.has_ended = True


def test_clients_are_sent_over_the_whole_time_and_no_longer() -> None:
    hall = Hall(1000, seconds=5.0)
    hall.drain.start()
    for step in range(1, 501):
        hall.clock.advance(0.01)
        expected = step * 2
        assert abs(len(hall.sent) - expected) <= 2 * 100 * PAUSE + 4
    hall.clock.advance(PAUSE)
    assert hall.has_ended
    assert len(hall.sent) == 1000
    assert not hall.clock.getDelayedCalls()


def test_the_quiet_are_sent_first() -> None:
    hall = Hall(100, seconds=1.0)
    hall.drain.start()
    hall.clock.pump([0.01] * 120)
    assert [client for _, client in hall.sent] == list(reversed(range(100)))


def test_without_time_all_are_sent_but_other_things_happen_in_between() -> None:
    hall = Hall(2 * SLICE + 1, seconds=0)
    hall.drain.start()
    assert len(hall.sent) == SLICE
    assert not hall.has_ended
    hall.clock.advance(0)
    assert hall.has_ended
    assert len(hall.sent) == 2 * SLICE + 1


def test_with_nobody_there_it_ends_at_once() -> None:
    hall = Hall(0, seconds=5.0)
    hall.drain.start()
    assert hall.has_ended
    assert not hall.clock.getDelayedCalls()


@pytest.mark.parametrize("passed", [0.0, 2.5, 60.0])
def test_in_a_hurry_all_who_are_left_are_sent_once(passed: float) -> None:
    hall = Hall(1000, seconds=5.0)
    hall.drain.start()
    hall.clock.pump([0.05] * int(passed / 0.05))
    hall.drain.hurry()
    hall.drain.hurry()
    assert hall.has_ended
    assert sorted(client for _, client in hall.sent) == list(range(1000))
    assert not hall.clock.getDelayedCalls()


def test_one_who_cannot_be_sent_away_does_not_keep_the_others() -> None:
    clock = Clock()
    sent: list[int] = []
    told: list[str] = []

    def send_away(client: int) -> None:
        if client == 2:
            raise RuntimeError("a fault of ours")
        sent.append(client)

    def observe(event: dict[str, object]) -> None:
        told.append(str(event["log_format"]))

    globalLogPublisher.addObserver(observe)
    try:
        Drain(clock, range(4), float, send_away, 0).start()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert sent == [3, 1, 0]
    assert told == ["a connection could not be closed"]
