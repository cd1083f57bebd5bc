"""When an answer was made, as HTTP writes it (RFC 9110, 6.6.1): written once a second.

Backends sign with the time, so whoever looks for a fault compares the clocks by this.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate


class Date:
    """``clock`` is Unix time in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = -1
        self._text = ""

    def __call__(self) -> str:
        """``Sun, 06 Nov 1994 08:49:37 GMT``."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            self._text = formatdate(second, usegmt=True)
        return self._text
