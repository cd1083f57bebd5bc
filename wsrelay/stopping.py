"""The order in which a running relay stops, and how long each step may take.

1. The node is not ready any more, and the service manager knows that it stops.
2. Ports: where a successor listens as well, connections to come are his; else they close.
3. HTTP: what was asked is answered, each answer the last one of its connection.
4. Clients are told to come again and closed, over ``drain`` seconds where a successor is there,
   else all at once (``successor`` says why).
5. The rest of the ports close, then the connections on which nobody asks anything.
6. Webhooks tell what there is still to tell.

A second signal ends it at once: all that are left are closed, and nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .callers import Callers
from .core.connections import Connections
from .core.errors import Code
from .core.readiness import Readiness
from .drain import Drain
from .listening import leave
from .notify import Notify
from .sharing import SharedPort
from .successor import Successor, successor
from .websocket.sweep import Listener, Sweep

_log = Logger(namespace="wsrelay")

#: Seconds that clients have to answer a close frame, and requests to be answered.
CLOSE_TIMEOUT = 5.0
#: The same while others wait for this process to end: the next one begins only then.
CLOSE_TIMEOUT_WITHOUT_SUCCESSOR = 0.5
#: Seconds in which whoever has connected may still ask something.
GRACE = 0.25
#: Seconds that webhooks have for what is still to be told.
MESSENGER_TIMEOUT = 5.0

REASON = "the server is stopping"


class Tells(Protocol):
    """The webhooks' messenger, as far as it is stopped."""

    def stop(self, seconds: float) -> Coroutine[Any, Any, None]: ...

    def hurry(self) -> None: ...


class Stopping:
    """Stops the relay, once."""

    def __init__(
        self,
        clock: IReactorTime,
        *,
        readiness: Readiness,
        notify: Notify,
        connections: Connections,
        callers: Callers,
        sweep: Sweep,
        messenger: Tells,
        drain: float,
        said: str,
    ) -> None:
        self._clock = clock
        self._readiness = readiness
        self._notify = notify
        self._connections = connections
        self._callers = callers
        self._sweep = sweep
        self._messenger = messenger
        self._drain_seconds = drain
        self._said = said
        #: What is known already of who goes on; ``None``: it is found out when that matters.
        self.known: Successor | None = None
        self._drain: Drain[Listener] | None = None
        self._waiting: Deferred[None] | None = None
        self._is_hurried = False

    async def run(self, ports: Sequence[Any]) -> None:
        """All six steps."""
        found = self.known or successor(ports, self._said)
        is_present = found is Successor.PRESENT
        seconds = self._drain_seconds if is_present else 0.0
        patience = _patience(found)
        self._readiness.withdraw("drain", REASON)
        self._notify.stopping(longest(found, self._drain_seconds))
        shared = [
            port
            for port in ports
            if is_present and isinstance(port, SharedPort) and port.steer_away()
        ]
        closing = [maybeDeferred(leave, port) for port in ports if port not in shared]
        self._callers.is_leaving = True
        self._connections.is_closing = True
        clients = self._sweep.connections()
        _log.info(
            "Stopping: {many} connections are told {code}, within {seconds:g} s",
            many=len(clients),
            code=int(found.code),
            seconds=seconds,
        )
        self._drain = Drain(
            self._clock, clients, _silence, partial(_send_away, found.code), seconds
        )
        self._drain.start()
        await self._wait(self._drain.done, None)
        closing += [maybeDeferred(leave, port) for port in shared]
        await self._wait(DeferredList(closing, consumeErrors=True), CLOSE_TIMEOUT)
        self._sweep.stop()
        await self._wait_for_the_last(patience)
        await self._stop_messenger()

    async def _wait_for_the_last(self, patience: float) -> None:
        """Let clients answer their close frames, and backends hear their answers."""
        gone = [self._sweep.when_empty(patience), self._callers.when_gone()]
        grace = self._clock.callLater(GRACE, self._callers.hang_up_the_silent)
        await self._wait(DeferredList(gone, consumeErrors=True), patience)
        if grace.active():
            grace.cancel()

    async def _stop_messenger(self) -> None:
        with _log.failureHandler("webhooks did not stop in order"):
            await self._messenger.stop(0 if self._is_hurried else MESSENGER_TIMEOUT)

    # -- waiting, and the end of patience ------------------------------------------------

    def hurry(self) -> None:
        """Wait for nothing any more: close all who are left, and end."""
        if self._is_hurried:
            return
        self._is_hurried = True
        if self._drain is not None:
            self._drain.hurry()
        if self._waiting is not None:
            self._waiting.callback(None)
        self._messenger.hurry()

    async def _wait(self, what: Deferred[Any], seconds: float | None) -> None:
        """Until it has happened, or ``seconds`` are over, or there is a hurry."""
        if self._is_hurried:
            what.cancel()
            return
        waiting = self._waiting = Deferred[None]()

        def over(result: object) -> None:
            if not waiting.called:
                waiting.callback(None)

        what.addBoth(over)
        timer = self._clock.callLater(seconds, over, None) if seconds is not None else None
        await waiting
        self._waiting = None
        if timer is not None and timer.active():
            timer.cancel()
        what.cancel()


def longest(found: Successor, drain: float) -> float:
    """Seconds that it may take altogether."""
    seconds = drain if found is Successor.PRESENT else 0.0
    return seconds + _patience(found) + GRACE + MESSENGER_TIMEOUT


def _patience(found: Successor) -> float:
    is_present = found is Successor.PRESENT
    return CLOSE_TIMEOUT if is_present else CLOSE_TIMEOUT_WITHOUT_SUCCESSOR


def _silence(client: Listener) -> float:
    return client.pulse.silence


def _send_away(code: Code, client: Listener) -> None:
    client.send_away(code, REASON)
