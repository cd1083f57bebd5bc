"""A worker: a relay that does what its parent says, and tells it how it goes.

It ends in order when its parent is gone, which it learns by the end of the pipe. Signals are the
parent's matter: a terminal, PM2 and systemd send them to the workers as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..config.handed import unpacked
from ..listening import CannotStart
from ..metrics.measured import Measured
from ..metrics.summed import taken
from ..reloading import FAULTS
from ..service import Part, RelayService
from ..successor import Successor
from .adopting import Ports
from .words import (
    BEAT,
    Beat,
    Failed,
    FindPlaces,
    FromWorker,
    Hurry,
    Introduce,
    Judged,
    Places,
    Prepare,
    Ready,
    Said,
    Start,
    Stop,
    TakeUp,
    ToWorker,
    framed,
    reader_of_parent,
)

_log = Logger(namespace="wsrelay")

#: Seconds without a beat after which the process ends, though nobody should be there to see it.
#: More than the parent waits before it ends it.
GIVE_UP = 30
#: Seconds in which the parent takes what was said last.
LAST_WORDS = 2.0
#: Lines that the parent did not take are counted, and how many they were is said once it does.
_LOST = "{lines} lines of the log are lost: the parent did not take them in time"


@implementer(IPushProducer)
class Wire(Protocol):
    """The two pipes. What need not arrive is left out while the parent does not read."""

    def __init__(self, hear: Callable[[ToWorker], None], alone: Callable[[], None]) -> None:
        """``alone`` is called when the parent is gone."""
        self._reader = reader_of_parent(hear)
        self._alone = alone
        self._is_full = False
        self._lost = 0

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self._reader.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._alone()

    def say(self, word: FromWorker) -> None:
        if self._is_full and isinstance(word, Said | Beat):
            self._lost += isinstance(word, Said)
            return
        self.transport.write(framed(word))  # type: ignore[union-attr]

    def close(self) -> None:
        """Once everything is written."""
        self.transport.unregisterProducer()  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]

    def pauseProducing(self) -> None:
        self._is_full = True

    def resumeProducing(self) -> None:
        self._is_full = False
        lost, self._lost = self._lost, 0
        if lost:
            _log.warn(_LOST, lines=lost)

    def stopProducing(self) -> None:
        """The pipe is closing."""


class Serving:
    """``end`` is called when there is nothing left to do.

    ``set_alarm`` has the process ended in so many seconds, unless it is called again.
    """

    def __init__(
        self, reactor: Any, end: Callable[[], None], set_alarm: Callable[[float], object]
    ) -> None:
        self._set_alarm = set_alarm
        self.wire = Wire(self.hear, self.alone)
        self._reactor = reactor
        self._end = end
        self._relay: RelayService | None = None
        self._ports: Ports | None = None
        self._measured: Measured | None = None
        self._beating = LoopingCall(self._beat)
        self._beating.clock = reactor
        self._take_up: Callable[[], None] | None = None
        #: Why it could not start.
        self.fault = ""
        self._is_stopping = False
        self._is_alone = False
        self._has_ended = False

    # -- what the parent says ----------------------------------------------------------------

    def hear(self, word: ToWorker) -> None:
        if isinstance(word, Start):
            self._start(word)
        elif self._relay is None:
            return  # it could not start, and the parent hears of it
        elif isinstance(word, Introduce):
            self._relay.introduce()
        elif isinstance(word, Prepare):
            self._prepare(word)
        elif isinstance(word, TakeUp):
            take_up, self._take_up = self._take_up, None
            if take_up is not None:
                take_up()
        elif isinstance(word, FindPlaces):
            assert self._ports is not None
            self.wire.say(Places(self._ports.find_places()))
        elif isinstance(word, Stop):
            assert self._ports is not None
            self._ports.steered(word.is_steered)
            self._stop(Successor[word.successor])
        elif isinstance(word, Hurry):
            self._relay.stopping.hurry()

    def alone(self) -> None:
        """The parent is gone, or has heard the last words."""
        self._is_alone = True
        if self._relay is None or self._ports is None:
            self._leave()
        elif not self._is_stopping:
            self._stop(self._ports.successor())
        elif not self._beating.running:
            self._leave()

    def _start(self, word: Start) -> None:
        self._set_alarm(GIVE_UP)
        ports = self._ports = Ports(self._reactor, word.places)
        try:
            relay = RelayService(
                unpacked(word.settings), self._reactor, part=Part(ports.listen, word.files)
            )
            self._measured = Measured(relay, self._reactor)
            relay.privilegedStartService()
            relay.startService()
        except Exception as fault:
            if not isinstance(fault, CannotStart):
                _log.failure("a worker could not start")
            self.fault = str(fault).removeprefix("wsrelay: ")
            self.wire.say(Failed(self.fault))
            self._leave()
            return
        self._relay = relay
        self._measured.lag.start()
        self._beating.start(BEAT)
        self.wire.say(Ready())

    def _prepare(self, word: Prepare) -> None:
        assert self._relay is not None
        fault = ""
        try:
            self._take_up = self._relay.reloading.prepare(unpacked(word.settings))
        except FAULTS as refused:
            self._take_up, fault = None, str(refused).removeprefix("wsrelay: ")
        self.wire.say(Judged(fault))

    # -- signs of life -----------------------------------------------------------------------

    def _beat(self) -> None:
        self._set_alarm(GIVE_UP)
        assert self._measured is not None
        with _log.failureHandler("a worker can't say how it goes"):
            self.wire.say(Beat(self._measured.status(), taken(self._measured.registry)))

    # -- the end -----------------------------------------------------------------------------

    def _stop(self, found: Successor) -> None:
        assert self._relay is not None
        if self._is_stopping:
            return
        self._is_stopping = True
        self._relay.stopping.known = found
        stopped: Deferred[Any] = self._relay.stopService()
        stopped.addErrback(lambda failure: _log.failure("a worker did not stop", failure))
        stopped.addBoth(self._stopped)

    def _stopped(self, _: object) -> None:
        self._beat()  # so that nothing is missing in the totals
        assert self._measured is not None
        self._measured.lag.stop()
        self._beating.stop()
        self._leave()

    def _leave(self) -> None:
        """Say what is still to be said, and end."""
        if not self._is_alone:
            self.wire.close()
            self._reactor.callLater(LAST_WORDS, self.alone)
        elif not self._has_ended:
            self._has_ended = True
            self._end()
