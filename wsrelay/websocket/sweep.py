"""One look at every connection, every few seconds: who is silent, and for how long.

One timer for all of them, and in slices, so that ten thousand connections that fall silent
together do not stop the reactor when they are pinged together.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..core.errors import Code
from ..pusher.keepalive import TICK, Pulse, Verdict

_log = Logger()

SLICE = 250


class Listener(Protocol):
    """A connection as the sweep sees it."""

    pulse: Pulse

    def ping(self) -> None: ...

    def give_up(self) -> None: ...

    def send_away(self, code: Code, reason: str) -> None: ...


class Sweep:
    """Pings the silent and gives up the dead; the one list of this node's open connections."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._connections: set[Listener] = set()
        self._when_empty: Deferred[None] | None = None
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        self._next = self._clock.callLater(TICK, self._look_at_all)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def add(self, connection: Listener) -> None:
        self._connections.add(connection)

    def discard(self, connection: Listener) -> None:
        self._connections.discard(connection)
        if self._when_empty is not None and not self._connections:
            self._when_empty.callback(None)

    def when_empty(self, most_seconds: float) -> Deferred[None]:
        """Fires when no connection is left, or after ``most_seconds`` all the same."""
        self._when_empty = Deferred()
        if not self._connections:
            self._when_empty.callback(None)
        waiting = self._when_empty.addTimeout(most_seconds, self._clock)

        def forget(_: object) -> None:
            self._when_empty = None

        return waiting.addBoth(forget)

    def __len__(self) -> int:
        return len(self._connections)

    def connections(self) -> list[Listener]:
        """Those that are open now."""
        return list(self._connections)

    def _look_at_all(self) -> None:
        self._look_at_slice(iter(tuple(self._connections)))

    def _look_at_slice(self, rest: Iterator[Listener]) -> None:
        connections = list(islice(rest, SLICE))
        for connection in connections:
            try:
                self._look_at(connection)
            except Exception:
                _log.failure("a connection could not be looked at")
        if connections:
            self._next = self._clock.callLater(0, self._look_at_slice, rest)
        else:
            self._next = self._clock.callLater(TICK, self._look_at_all)

    @staticmethod
    def _look_at(connection: Listener) -> None:
        verdict = connection.pulse.tick()
        if verdict is Verdict.PING:
            connection.ping()
        elif verdict is Verdict.GIVE_UP:
            connection.give_up()
