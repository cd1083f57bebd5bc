"""How late the reactor is: what a client waits for before anybody looks at his message.

A timer says when it is to be called, and whatever keeps the reactor busy makes it late. Twice a
second is often enough to see a hall of ten thousand being served, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..core.distribution import Distribution

#: Seconds between two looks.
EVERY = 0.5
#: What ``recent_max`` looks back on is between one and two of these. Seconds.
SPAN = 30.0
#: epoll (and so Twisted) counts in milliseconds, so nothing below is worth telling.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Lag:
    """``clock`` is the reactor; ``timer`` is monotonic, in seconds."""

    def __init__(self, clock: IReactorTime, timer: Callable[[], float]) -> None:
        self._clock = clock
        self._timer = timer
        self._call: IDelayedCall | None = None
        self._due = self._span_ends = 0.0
        self._max = self._max_before = 0.0
        self.spread = Distribution(BOUNDS)

    @property
    def recent_max(self) -> float:
        """The worst of the last half minute or so. Seconds."""
        return max(self._max, self._max_before)

    def start(self) -> None:
        self._span_ends = self._timer() + SPAN
        self._wait()

    def stop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self) -> None:
        self._due = self._timer() + EVERY
        self._call = self._clock.callLater(EVERY, self._look)

    def _look(self) -> None:
        now = self._timer()
        late = max(0.0, now - self._due)
        self.spread.add(late)
        if now >= self._span_ends:
            self._max_before, self._max = self._max, 0.0
            self._span_ends = now + SPAN
        self._max = max(self._max, late)
        self._wait()
