"""One look at every connection, every few seconds: who is silent, and for how long.

One timer for all of them, and in slices, so that ten thousand connections that fall silent
together do not stop the reactor when they are pinged together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator, LoopingCall
from twisted.logger import Logger

from ..pusher.keepalive import TICK, Pulse, Verdict

_log = Logger()

SLICE = 250


class Listener(Protocol):
    """A connection as the sweep sees it."""

    pulse: Pulse

    def ping(self) -> None: ...

    def give_up(self) -> None: ...


class Sweep:
    """Pings the silent and gives up the dead."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._connections: set[Listener] = set()
        self._when_empty: Deferred[None] | None = None
        self._loop = LoopingCall(self._look_at_all)
        self._loop.clock = clock
        self._cooperator = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,
            scheduler=lambda call: clock.callLater(0, call),
        )

    def start(self) -> None:
        self._loop.start(TICK, now=False).addErrback(
            lambda failure: _log.failure("the keep-alive sweep has stopped", failure)
        )

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()
        self._cooperator.stop()

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

    def _look_at_all(self) -> object:
        return self._cooperator.coiterate(self._in_slices())

    def _in_slices(self) -> Iterator[None]:
        for count, connection in enumerate(tuple(self._connections), 1):
            verdict = connection.pulse.tick()
            if verdict is Verdict.PING:
                connection.ping()
            elif verdict is Verdict.GIVE_UP:
                connection.give_up()
            if not count % SLICE:
                yield
