"""The parent: opens the ports, starts the workers, and speaks for all of them.

To the outside it is the relay: signals tell it what to do, it tells the service manager how things
go, and the metrics of all together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..config.settings import Settings
from ..doors import places
from ..listening import CannotStart
from ..log import spawn as run
from ..logform import bring_along
from ..metrics.service import MetricsListener
from ..metrics.site import MetricsSite
from ..notify import Notify
from .child import ChildProtocol, spawn
from .counting import Counting
from .crew import Crew
from .log import relate
from .opening import Opened, Opening, opened
from .reloading import Configuration
from .slot import Slot
from .stopping import Stopping
from .words import FIRST_SOCKET, Beat, Failed, FromWorker, Introduce, Ready, Said, Socket, Start

_log = Logger(namespace="wsrelay")

#: Seconds between two looks at whether all are alive.
LOOK = 1.0


class WorkersService(MultiService):
    """A relay of several processes."""

    def __init__(
        self,
        settings: Settings,
        many: int,
        reactor: Any,
        log_observer: Any,
        read: Callable[[], Settings],
        give_up: Callable[[], None],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """``read`` reads the settings anew; ``give_up`` ends the process as one that failed.

        ``seconds`` is monotonic.
        """
        super().__init__()
        self.setName("wsrelay")
        self._settings = settings
        self._reactor = reactor
        self._log_observer = log_observer
        self._give_up = give_up
        self._seconds = seconds
        self._places: list[list[Opened]] = []
        self.crew = Crew(reactor)
        self.crew.slots = [
            Slot(number, reactor, seconds, self._spawn, heard=self._heard, gone=self._gone)
            for number in range(1, many + 1)
        ]
        self._configuration = Configuration(settings, read, self.crew)
        began = seconds()
        self._counting = Counting(self.crew, time.time(), lambda: seconds() - began)
        self._notify = Notify(
            reactor, self._counting.line, is_alive=lambda: bool(self.crew.serving)
        )
        self.stopping = Stopping(reactor, self.crew, self._notify, settings)
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._last_look = began
        #: Whether all have served once.
        self._is_up = self._has_failed = False
        self._is_reloading = self._is_to_reload_again = False
        if settings.metrics_port:
            site = MetricsSite(reactor, self._counting.summed, self._counting.status, seconds)
            MetricsListener(
                reactor, settings.metrics_port, settings.metrics_host, site
            ).setServiceParent(self)

    # -- starting ----------------------------------------------------------------------------

    def setServiceParent(self, parent: Any) -> None:
        """Join the application, and bring along what writes its log."""
        bring_along(parent, self._log_observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Open the ports while privileges last. Raises ``CannotStart``."""
        self._open()
        super().privilegedStartService()

    def _open(self) -> None:
        if not self._places:
            opening = Opening(
                self._reactor, len(self.crew.slots), is_shared=self._settings.reuse_port
            )
            self._places = opened(opening, places(self._settings, self._reactor))

    def startService(self) -> None:
        self._open()  # twist (26.10) does not call privilegedStartService
        super().startService()
        for slot in self.crew:
            slot.start()
        self._looking.start(LOOK, now=False)

    def _spawn(self, slot: Slot) -> ChildProtocol:
        """Raises ``OSError``."""
        child = ChildProtocol(slot.number, slot.hear, slot.ended)
        ports = [port for place in self._places for port in place]
        descriptors = [port.socket_of(slot.number).fileno() for port in ports]
        spawn(self._reactor, child, descriptors, os.environ)
        numbers = iter(range(FIRST_SOCKET, FIRST_SOCKET + len(ports)))
        child.say(
            Start(
                slot.number,
                self._configuration.packed,
                [list(_handed(slot.number, place, numbers)) for place in self._places],
                self._configuration.files,
            )
        )
        return child

    # -- what workers say --------------------------------------------------------------------

    def _heard(self, slot: Slot, word: FromWorker) -> None:
        if isinstance(word, Said):
            relate(slot.number, word)
        elif isinstance(word, Beat):
            self._counting.beat(slot, word)
        elif isinstance(word, Ready):
            if not self._is_up and self.crew.is_complete:
                self._up()
            elif self._is_up:
                _log.info(
                    "worker {worker} serves (process {pid})", worker=slot.number, pid=slot.pid
                )
        elif isinstance(word, Failed):
            self._fail(f"worker {slot.number}: {word.reason}")
        self.crew.hear(slot, word)

    def _up(self) -> None:
        self._is_up = True
        self.crew.slots[0].say(Introduce())
        pids = ", ".join(str(slot.pid) for slot in self.crew)
        _log.info("{many} workers serve (processes {pids})", many=len(self.crew.slots), pids=pids)
        self._notify.started()

    def _gone(self, slot: Slot, how: str) -> None:
        self._counting.gone(slot)
        self._fail(f"worker {slot.number} {how} before it served")
        self.crew.gone(slot)

    def _fail(self, why: str) -> None:
        """One that can't start at all ends the whole, as a mistake of a single process does."""
        if self._is_up or self.stopping.has_begun or self._has_failed:
            return
        self._has_failed = True
        for slot in self.crew:
            slot.end()
        if not self._reactor.running:  # then this is the start, and its end
            raise CannotStart(why)
        _log.critical("can't start: {why}", why=why)
        self._give_up()

    def _look(self) -> None:
        now = self._seconds()
        was_late, self._last_look = now - self._last_look > 2 * LOOK, now
        if not was_late:  # else it is this process that hung, and has not heard them yet
            with _log.failureHandler("the workers could not be looked at"):
                for slot in self.crew:
                    slot.look()

    # -- what the operator says --------------------------------------------------------------

    def reload(self) -> None:
        """Take up what has changed in the configuration and the certificates."""
        if self._is_reloading:
            self._is_to_reload_again = True
        elif not self.stopping.has_begun:
            run(self._reload())

    async def _reload(self) -> None:
        self._is_reloading = True
        self._notify.reloading()
        try:
            await self._configuration.reload()
        finally:
            self._is_reloading = False
            self._notify.reloaded()
        if self._is_to_reload_again:
            self._is_to_reload_again = False
            self.reload()

    def stopService(self) -> Deferred[Any]:
        """Stop all workers as one."""
        places, self._places = self._places, []
        stopped = Deferred.fromCoroutine(self.stopping.run(places))
        return stopped.addErrback(_stop_failure).addCallback(self._rest)

    def _rest(self, _: object) -> Any:
        if self._looking.running:
            self._looking.stop()
        self._notify.close()
        return super().stopService()


def _handed(number: int, place: list[Opened], numbers: Iterator[int]) -> Iterator[Socket]:
    for port in place:
        yield Socket(next(numbers), port.socket_of(number).family, port.is_dealt, port.is_inherited)


def _stop_failure(failure: Failure) -> None:
    _log.failure("the relay did not stop in order", failure)
