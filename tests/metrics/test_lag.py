"""wsrelay.metrics.lag"""

from __future__ import annotations

from twisted.internet.task import Clock

from wsrelay.metrics.lag import BOUNDS, EVERY, SPAN, Lag


class Reactor:
    """A reactor, and a clock that goes on while something keeps it busy."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.busy = 0.0
        self.lag = Lag(self.clock, lambda: self.clock.seconds() + self.busy)
        self.lag.start()

    def works(self, seconds: float) -> None:
        """One look, which comes so much too late."""
        self.busy += seconds
        self.clock.advance(EVERY)


def test_how_late_a_timer_is_called_is_counted() -> None:
    reactor = Reactor()
    for seconds in (0.0, 0.004, 0.004, 9.0):
        reactor.works(seconds)
    counts = dict(zip((*BOUNDS, "more"), reactor.lag.spread.counts, strict=True))
    assert {bound: count for bound, count in counts.items() if count} == {
        0.001: 1,
        0.005: 2,
        "more": 1,
    }
    assert round(reactor.lag.spread.sum, 6) == 9.008


def test_the_worst_is_told_for_half_a_minute_and_then_forgotten() -> None:
    reactor = Reactor()
    reactor.works(0.3)
    reactor.works(0.1)
    for _ in range(int(SPAN / EVERY) - 3):
        reactor.works(0.0)
        assert round(reactor.lag.recent_max, 6) == 0.3
    for _ in range(int(2 * SPAN / EVERY)):
        reactor.works(0.0)
    assert reactor.lag.recent_max == 0


def test_a_clock_that_is_early_is_no_lag() -> None:
    reactor = Reactor()
    reactor.works(-0.002)
    assert (reactor.lag.recent_max, reactor.lag.spread.sum) == (0, 0)


def test_once_stopped_it_looks_no_more() -> None:
    reactor = Reactor()
    reactor.lag.stop()
    reactor.lag.stop()
    assert reactor.clock.getDelayedCalls() == []
