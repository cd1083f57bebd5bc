"""The room's one face: a service that answers those who watch, and never stands in the way.

A relay that can't have its port for metrics serves its clients all the same. The port may be held
by the relay that is just being replaced, or by another one on this machine, so a taken port is
tried again until it is free, with one loud line in the log. Who watches from outside sees that
there are no metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.logger import Logger

from .measured import Measured
from .seen import Seen
from .site import MetricsSite

_log = Logger(namespace="wsrelay")

#: Seconds between two attempts to have the port.
RETRY = 2.0


class MetricsListener(Service):
    """Has the port, sooner or later."""

    def __init__(self, reactor: Any, port: int, host: str, site: MetricsSite) -> None:
        self._reactor = reactor
        self._place = port, host
        self._port: IListeningPort | None = None
        self._retry: IDelayedCall | None = None
        self._has_complained = False
        self.site = site

    def startService(self) -> None:
        super().startService()
        self._listen()

    def _listen(self) -> None:
        self._retry = None
        port, host = self._place
        try:
            self._port = self._reactor.listenTCP(port, self.site, interface=host)
        except CannotListenError as error:
            if not self._has_complained:
                self._has_complained = True
                _log.warn(
                    "No metrics yet: can't listen on {host}:{port} ({error}), tried again every "
                    "{seconds:g} s; each relay of a machine needs a --metrics-port of its own, 0 "
                    "is for none",
                    host=host,
                    port=port,
                    error=error.socketError,
                    seconds=RETRY,
                )
            self._retry = self._reactor.callLater(RETRY, self._listen)
        else:
            _log.info("Metrics at http://{host}:{port}/metrics", host=host, port=self.port_number)

    @property
    def port_number(self) -> int | None:
        """Where it listens; ``None`` while it does not."""
        return None if self._port is None else self._port.getHost().port  # type: ignore[attr-defined]

    async def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        return Deferred.fromCoroutine(self._close())


class MetricsService(MetricsListener):
    """Of this process. ``timer`` is monotonic, ``now`` Unix time; both in seconds."""

    def __init__(
        self,
        seen: Seen,
        reactor: Any,
        port: int,
        host: str,
        timer: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        measured = Measured(seen, reactor, timer, now)
        self._lag = measured.lag
        site = MetricsSite(reactor, measured.registry, measured.status, timer)
        super().__init__(reactor, port, host, site)

    def startService(self) -> None:
        self._lag.start()
        super().startService()

    def stopService(self) -> Deferred[None]:
        self._lag.stop()
        return super().stopService()
