"""How values are spread: counted into a few ranges as they come, never kept."""

from __future__ import annotations

from bisect import bisect_left


class Distribution:
    """Counts of values up to each bound, of those above the last one, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        #: Rising; a value that equals one counts as below it, as in Prometheus' ``le``.
        self.bounds = bounds
        #: One more than there are bounds; each value is counted in one place only.
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
