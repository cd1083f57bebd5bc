"""How often something may happen: a token bucket that is told the time."""

from __future__ import annotations


class TokenBucket:
    """Admits ``rate`` events a second and as many at once; ``rate`` 0 admits everything.

    The caller passes the time in seconds, so the bucket can be tested without a clock.
    """

    __slots__ = ("_then", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = max(rate, 1.0)
        self._then = now

    def admits(self, now: float, cost: float = 1.0) -> bool:
        """Whether something that counts for ``cost`` events may happen at ``now``.

        If so, it is counted. What costs more than may happen at once is admitted when the
        bucket is full, and paid for by a longer pause.
        """
        rate = self.rate
        if not rate:
            return True
        elapsed = now - self._then
        self._then = now
        if elapsed < 0:  # reactor.seconds() is the time of day (Twisted 26.10), it may be set back
            elapsed = 0
        tokens = min(max(rate, 1.0), self._tokens + elapsed * rate)
        if tokens < min(cost, max(rate, 1.0)):
            self._tokens = tokens
            return False
        self._tokens = tokens - cost
        return True

    def spares(self, now: float, keeping: float) -> bool:
        """The same for one event, of which ``keeping`` more must remain possible at once."""
        if not self.rate:
            return True
        self.admits(now, 0.0)  # counts what has come by now
        return self._tokens >= 1.0 + keeping and self.admits(now)

    @property
    def remaining(self) -> int:
        """Whole events that might happen at once when ``admits`` was last asked."""
        return max(0, int(self._tokens))

    def seconds_until(self, cost: float = 1.0) -> float:
        """How long after the last question to wait before asking again makes sense."""
        if not self.rate:
            return 0.0
        return max(0.0, (min(cost, max(self.rate, 1.0)) - self._tokens) / self.rate)
