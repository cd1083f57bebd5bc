"""Who is sent away when, while the relay stops: the quiet first, and never many at once.

Who is quiet notices least, so the first to go are those from whom nothing was heard for longest;
those who are in the middle of something have the most time to finish it. Each client has a
moment of his own, spread by chance, so that they do not come to the next process in step.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_log = Logger(namespace="wsrelay")

#: Seconds between two slices, at least.
PAUSE = 0.05
#: Clients in a slice, at most: about ten milliseconds. With more of them it takes longer than told.
SLICE = 250

Client = TypeVar("Client")


def plan(
    silences: Sequence[float], seconds: float, chance: Callable[[], float] = random.random
) -> list[tuple[float, int]]:
    """For each client, by his index in ``silences``, the moment when he has to go; in that order.

    Moments are seconds from now, below ``seconds``. ``chance`` gives numbers from 0 to below 1.
    """
    order = sorted(range(len(silences)), key=lambda index: (-silences[index], chance()))
    each = seconds / len(order) if order else 0.0
    return [((place + chance()) * each, index) for place, index in enumerate(order)]


class Drain(Generic[Client]):
    """Sends clients away by a plan. ``done`` fires when the last one was sent."""

    def __init__(
        self,
        clock: IReactorTime,
        clients: Sequence[Client],
        silence: Callable[[Client], float],
        send_away: Callable[[Client], None],
        seconds: float,
    ) -> None:
        self.done: Deferred[None] = Deferred()
        self._clock = clock
        self._send_away = send_away
        self._next: IDelayedCall | None = None
        now = clock.seconds()
        self._waiting = deque(
            (now + moment, clients[index])
            for moment, index in plan([silence(client) for client in clients], seconds)
        )

    def start(self) -> None:
        self._go_on()

    def hurry(self) -> None:
        """Send all who are left away now."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._send(len(self._waiting))
        self._end()

    def __len__(self) -> int:
        """Those who wait for their moment."""
        return len(self._waiting)

    def _go_on(self) -> None:
        self._next = None
        now = self._clock.seconds()
        due = 0
        for moment, _ in self._waiting:
            if moment > now or due == SLICE:
                break
            due += 1
        self._send(due)
        if not self._waiting:
            self._end()
            return
        until_next = self._waiting[0][0] - now
        # What is overdue goes on in the next turn: other connections are read in between.
        pause = 0.0 if until_next <= 0 else max(PAUSE, until_next)
        self._next = self._clock.callLater(pause, self._go_on)

    def _send(self, many: int) -> None:
        for _ in range(many):
            _, client = self._waiting.popleft()
            try:
                self._send_away(client)
            except Exception:
                _log.failure("a connection could not be closed")

    def _end(self) -> None:
        if not self.done.called:
            self.done.callback(None)
