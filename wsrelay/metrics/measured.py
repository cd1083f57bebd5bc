"""What one process tells of itself: its metrics, and its state for scripts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.interfaces import IReactorTime

from .collector import Metrics
from .lag import Lag
from .process import Process
from .seen import Seen
from .status import status


class Measured:
    """``timer`` is monotonic, ``now`` Unix time; both in seconds."""

    def __init__(
        self,
        seen: Seen,
        reactor: IReactorTime,
        timer: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._seen = seen
        self._timer = timer
        self._started_at, self._began = now(), timer()
        #: How late the reactor is; it has to be started, and stopped.
        self.lag = Lag(reactor, timer)
        self.registry = CollectorRegistry()
        for collector in (Metrics(seen, self.lag), Process(self._started_at)):
            self.registry.register(collector)

    def status(self) -> Mapping[str, Any]:
        return status(self._seen, self.lag, self._started_at, self._timer() - self._began)
