"""How much a backend may ask of an app in a second, and how it is told that it was too much."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from ..core.apps import App
from ..core.limits import TokenBucket
from .exchange import Answer, refusal


class Quotas:
    """A bucket for the publishes and one for the questions of every app that limits them.

    ``clock`` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def excess(self, app: App, setting: str, rate: float, cost: int) -> Answer | None:
        """429 with the usual headers if this is too much, else ``None``."""
        if not rate:
            return None
        now = self._clock()
        bucket = self._buckets.get((app.id, setting))
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[app.id, setting] = TokenBucket(rate, now)
        if bucket.admits(now, cost):
            return None
        wait = ceil(bucket.seconds_until(cost))
        return refusal(
            429,
            f"more than {rate:g} a second ({setting})",
            (
                ("Retry-After", str(max(1, wait))),
                ("X-RateLimit-Limit", f"{rate:g}"),
                ("X-RateLimit-Remaining", str(bucket.remaining)),
            ),
        )
