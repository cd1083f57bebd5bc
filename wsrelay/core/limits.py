"""How often something may happen: a token bucket that is told the time."""

from __future__ import annotations


class TokenBucket:
    """Admits ``rate`` events a second and as many at once; ``rate`` 0 admits everything.

    The caller passes the time (seconds, from any monotonic clock), so the bucket can be tested
    without one.
    """

    __slots__ = ("_rate", "_then", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = max(rate, 1.0)
        self._then = now

    def admits(self, now: float) -> bool:
        """Whether one more event may happen at ``now``; if so, it is counted."""
        rate = self._rate
        if not rate:
            return True
        tokens = min(max(rate, 1.0), self._tokens + (now - self._then) * rate)
        self._then = now
        if tokens < 1.0:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1.0
        return True
