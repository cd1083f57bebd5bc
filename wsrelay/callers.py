"""The connections that are not WebSockets, or not yet: what becomes of them when the relay stops.

A request that has come is answered, and its answer is the last one of its connection
(``Connection: close``, RFC 9112, 9.6). Who has a connection open and asks nothing keeps it for a
while: a backend may be writing its next request just now, and would have to send it twice.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred


class Caller(Protocol):
    """One such connection."""

    @property
    def is_asking(self) -> bool:
        """A request has come, at least its beginning, and is not answered yet."""

    def hang_up(self) -> None:
        """Close, when all is written."""


class Callers:
    """All of them."""

    def __init__(self) -> None:
        self._callers: set[Caller] = set()
        #: From now on an answer is the last one of its connection.
        self.is_leaving = False
        self._when_gone: Deferred[None] | None = None

    def add(self, caller: Caller) -> None:
        self._callers.add(caller)

    def discard(self, caller: Caller) -> None:
        """Gone, or another one's from now on, who was added before."""
        self._callers.discard(caller)
        if self._when_gone is not None and not self._callers:
            when_gone, self._when_gone = self._when_gone, None
            when_gone.callback(None)

    def __len__(self) -> int:
        return len(self._callers)

    def hang_up_the_silent(self) -> None:
        """Close the connections on which nothing is asked."""
        for caller in tuple(self._callers):
            if not caller.is_asking:
                caller.hang_up()

    def when_gone(self) -> Deferred[None]:
        """Fires when none is left."""
        self._when_gone = Deferred()
        if not self._callers:
            self._when_gone.callback(None)
        return self._when_gone
