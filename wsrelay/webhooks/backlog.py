"""What waits for one receiver: in which order it is sent, how often it is tried, and how much of it
may wait.

Deliveries stand in lines, one for each channel. Within a line one is made after the other, also
while the first is tried again, so that a receiver hears of a channel in order; different lines do
not wait for one another. A batch is about many channels, so that all batches stand in one line.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from ..core.apps import KB
from ..core.ports import CallLater, Timer
from .batch import Delivery
from .tally import WebhookTally

#: Requests to one receiver at the same time, and one alone while it accepts nothing.
AT_ONCE = 4
#: Failures in a row after which it counts as accepting nothing.
FAILURES_IN_A_ROW = 4
#: Seconds after its making in which a delivery is tried: receivers refuse older ones.
LIFETIME = 300.0
#: Seconds before the second attempt; every further pause is twice as long, up to the longest.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
#: Deliveries that may wait for one receiver, and their bytes.
MOST_WAITING = 10_000
MOST_BYTES = 8 * KB * KB
#: Bytes that a waiting delivery takes besides its body, roughly.
OVERHEAD = 600


class PostFailed(Exception):
    """The receiver did not accept it. The text continues a sentence that begins with its name."""


class Trouble(Protocol):
    """Is told how a receiver does."""

    def failing(self, reason: str) -> None: ...

    def failed(self, reason: str) -> None: ...

    def dropped(self, limit: str) -> None: ...

    def over(self) -> None: ...


class Line:
    """The deliveries that go one after another. Idle, under way, pausing or ready."""

    __slots__ = ("is_under_way", "name", "timer", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: list[Delivery] = []
        self.is_under_way = False
        #: Runs while the first waits for its next attempt.
        self.timer: Timer | None = None


class Backlog:
    """The deliveries for one receiver, until each is sent, given up or dropped."""

    def __init__(
        self,
        post: Callable[[Delivery], Awaitable[None]],
        *,
        clock: Callable[[], float],
        call_later: CallLater,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        trouble: Trouble,
        tally: WebhookTally,
        on_empty: Callable[[], None],
    ) -> None:
        """``post`` makes one attempt and raises ``PostFailed`` when it is not accepted."""
        self._post = post
        self._clock = clock
        self._call_later = call_later
        self._spawn = spawn
        self._trouble = trouble
        self._tally = tally
        self._on_empty = on_empty
        self._lines: dict[str, Line] = {}
        #: Lines whose first may be sent now; the longest ready comes first.
        self._ready: OrderedDict[str, Line] = OrderedDict()
        #: All that waits, the oldest first. Not a dict: its first is slow to find (Python 3.11).
        self._waiting: OrderedDict[Delivery, None] = OrderedDict()
        self._under_way = 0
        self._pausing = 0
        self._failures_in_a_row = 0
        self._is_stopping = False
        self._is_pumping = False
        #: Bytes that wait, ``OVERHEAD`` included.
        self.bytes = 0

    def __len__(self) -> int:
        """How many wait or are under way."""
        return len(self._waiting) + self._under_way

    def add(self, delivery: Delivery) -> None:
        """Send it as soon as its turn comes; the oldest go when too many wait."""
        line = self._lines.get(delivery.line)
        if line is None:
            line = self._lines[delivery.line] = Line(delivery.line)
        line.waiting.append(delivery)
        self._enqueue(delivery)
        self._look_at(line)
        self._pump()
        while len(self._waiting) > MOST_WAITING:
            self.drop_oldest(f"{MOST_WAITING} deliveries wait")
        while self.bytes > MOST_BYTES and len(self._waiting) > 1:
            self.drop_oldest(f"{MOST_BYTES} bytes wait")

    def drop_oldest(self, limit: str) -> None:
        """Throw one away that waits; ``limit`` says why."""
        delivery = next(iter(self._waiting))
        line = self._lines[delivery.line]
        del line.waiting[0]  # the oldest of all is the first of its line
        self._dequeue(delivery)
        self._tally.dropped += 1
        self._trouble.dropped(limit)
        if not line.waiting:
            self._stop_pause(line)
        self._look_at(line)

    def hasten(self) -> None:
        """The relay stops: what waits is tried once more at once, and then given up."""
        self._is_stopping = True
        for line in tuple(self._lines.values()):
            self._stop_pause(line)
            self._look_at(line)
        self._pump()

    def abandon(self, limit: str) -> None:
        """Throw everything away that waits."""
        while self._waiting:
            self.drop_oldest(limit)

    # -- one attempt -------------------------------------------------------------------

    def _pump(self) -> None:
        if self._is_pumping:  # an attempt has ended at once, and the loop below goes on
            return
        self._is_pumping = True
        while self._ready and self._under_way < self._most_at_once():
            _, line = self._ready.popitem(last=False)
            delivery = line.waiting.pop(0)
            self._dequeue(delivery)
            line.is_under_way = True
            self._under_way += 1
            self._spawn(self._attempt(line, delivery))
        self._is_pumping = False
        if not self._lines:
            self._on_empty()

    def _most_at_once(self) -> int:
        return 1 if self._failures_in_a_row >= FAILURES_IN_A_ROW else AT_ONCE

    async def _attempt(self, line: Line, delivery: Delivery) -> None:
        reason: str | None = "could not be asked, see the log"
        try:
            if self._clock() > delivery.created + LIFETIME:
                raise PostFailed("was too slow: what waited for 5 minutes is given up")
            await self._post(delivery)
            reason = None
        except PostFailed as failed:
            reason = str(failed)
        finally:
            line.is_under_way = False
            self._under_way -= 1
            if reason is None:
                self._accepted()
            else:
                self._refused(line, delivery, reason)
            self._look_at(line)
            self._pump()

    def _accepted(self) -> None:
        self._tally.sent += 1
        self._failures_in_a_row = 0
        if not self._pausing and len(self._waiting) < MOST_WAITING // 2:
            self._trouble.over()

    def _refused(self, line: Line, delivery: Delivery, reason: str) -> None:
        self._failures_in_a_row += 1
        pause = min(FIRST_PAUSE * 2**delivery.attempts, LONGEST_PAUSE)
        delivery.attempts += 1
        if self._is_stopping or self._clock() + pause > delivery.created + LIFETIME:
            self._tally.failed += 1
            self._trouble.failed(reason)
            return
        self._tally.retried += 1
        self._trouble.failing(reason)
        line.waiting.insert(0, delivery)
        self._enqueue(delivery)
        self._waiting.move_to_end(delivery, last=False)
        self._pausing += 1
        line.timer = self._call_later(pause, lambda: self._pause_is_over(line))

    # -- lines -------------------------------------------------------------------------

    def _pause_is_over(self, line: Line) -> None:
        line.timer = None
        self._pausing -= 1
        self._look_at(line)
        self._pump()

    def _stop_pause(self, line: Line) -> None:
        if line.timer is not None:
            line.timer.cancel()
            line.timer = None
            self._pausing -= 1

    def _look_at(self, line: Line) -> None:
        """Put a line where it belongs: away when it is empty, or among the ready."""
        if line.is_under_way or line.timer is not None:
            return
        if line.waiting:
            self._ready.setdefault(line.name, line)
        else:
            self._ready.pop(line.name, None)
            del self._lines[line.name]

    def _enqueue(self, delivery: Delivery) -> None:
        self._waiting[delivery] = None
        self._count(delivery, 1)

    def _dequeue(self, delivery: Delivery) -> None:
        del self._waiting[delivery]
        self._count(delivery, -1)

    def _count(self, delivery: Delivery, one: int) -> None:
        size = (len(delivery.body) + OVERHEAD) * one
        self.bytes += size
        self._tally.queued += one
        self._tally.queued_bytes += size
