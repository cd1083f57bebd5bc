"""Warnings of what may happen often: some are written, the others counted.

Whoever knocks with a wrong key a thousand times a second would fill the disk else, and bury what an
operator has to see. The metrics count all of them.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from .core.limits import TokenBucket

_log = Logger(namespace="wsrelay")

#: Lines a second of what the whole relay suffers from, such as want of descriptors.
SELDOM = 0.1
#: Lines a second of what single clients are refused for.
OFTEN = 10.0


class Sparingly:
    """Writes ``rate`` lines a second at the most. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], rate: float = SELDOM) -> None:
        self._clock = clock
        self._pace = TokenBucket(rate, clock())
        self._unsaid = 0

    def warn(self, line: str, **values: object) -> None:
        """Write the line, or count it: the next one says how many there were."""
        if not self._pace.admits(self._clock()):
            self._unsaid += 1
            return
        unsaid, self._unsaid = self._unsaid, 0
        more = f" (and {unsaid} more such before)" if unsaid else ""
        _log.warn(line + more, **values)
