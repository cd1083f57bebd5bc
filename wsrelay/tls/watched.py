"""What some files hold, kept while they hold something that can't be used."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

_Content = TypeVar("_Content")
#: Of each file: inode, size, and the nanoseconds of its last change; ``None``: out of reach.
_Looks = list[tuple[int, int, int] | None]


class Watched(Generic[_Content]):
    """The last usable content of some files, which are looked at and not listened to.

    Links are followed at every look: Let's Encrypt renews by pointing them elsewhere.
    """

    def __init__(self, paths: Sequence[str], read: Callable[[], _Content]) -> None:
        """Read the files for the first time; ``read`` raises ``Unusable`` if they can't be used."""
        self._paths = paths
        self._read = read
        self._looks = self._looks_when_read = self._look()
        self.content = read()

    def has_changed(self) -> bool:
        """Whether the files are other than they were, and have been so for one look already.

        A certificate and its key are not replaced in one moment; what is between is no fault.
        """
        before, self._looks = self._looks, self._look()
        return self._looks == before and self._looks != self._looks_when_read

    def read_again(self) -> None:
        """Use what the files hold now. Raises ``Unusable``, and then uses what it did before."""
        self._looks = self._looks_when_read = self._look()
        self.content = self._read()

    def _look(self) -> _Looks:
        looks: _Looks = []
        for path in self._paths:
            try:
                found = os.stat(path)
            except OSError:
                looks.append(None)
            else:
                looks.append((found.st_ino, found.st_size, found.st_mtime_ns))
        return looks
