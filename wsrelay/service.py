"""The running relay: what is started and stopped, and in which order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from .assembling import assemble
from .callers import Callers
from .config.settings import Settings, is_development, tls_listeners
from .core.apps import Apps
from .core.connections import Connections
from .core.notices import Tally
from .core.ports import Observer
from .core.readiness import Readiness
from .core.visitors import Visitors
from .descriptors import Descriptors, raise_limit
from .doors import Doors, development_advice, places
from .listening import CannotStart, endpoint_of, listen, name_of
from .log import Refusals, log_connection, observers, spawn
from .logform import bring_along
from .metrics.edges import Edges
from .metrics.service import MetricsService
from .notify import Notify
from .pusher.counting import Counting
from .pusher.surroundings import Surroundings
from .reloading import Reloading, Rooms
from .sharing import SharingReactor
from .stopping import Stopping
from .tls.certificates import NOTHING, Certificates
from .transport import Wave, wave_on
from .web.desk import Desk
from .web.quota import Quotas
from .webhooks.messenger import Messenger
from .webhooks.sender import Sender

_log = Logger(namespace="wsrelay")


@dataclass(frozen=True)
class Part:
    """What one process of several is given by the one that started it."""

    #: Listens with the sockets that were opened for it, given what stands behind each place.
    listen: Callable[
        [Iterable[IProtocolFactory], Wave | None, Descriptors], Iterable[IListeningPort]
    ]
    #: What stands in files that only the other one could read, by their paths.
    files: Mapping[str, bytes]


#: For a relay that is built and never started.
NO_PART = Part(lambda behind, wave, descriptors: (), NOTHING)


class RelayService(MultiService):
    """Builds the rooms, introduces them to each other, opens the doors and closes them."""

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        log_observer: Any = None,
        read: Callable[[], Settings] | None = None,
        part: Part | None = None,
    ) -> None:
        """``read`` reads the settings anew when they are to be reloaded.

        ``part`` when the relay consists of several processes, and this is one.
        """
        super().__init__()
        self.setName("wsrelay")
        self._settings = settings
        self._log_observer = log_observer
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._wave: Wave | None = None
        self._part = part
        self.certificates = Certificates(
            tls_listeners(settings), reactor, time.time, part.files if part else NOTHING
        )
        self.tally = Tally()
        self.readiness = Readiness()
        self.readiness.withdraw("start", "the server is starting")
        self.edges = Edges()
        self.connections = Connections()
        self._descriptors = Descriptors(raise_limit(), self.connections, self.tally, time.monotonic)
        self.apps = Apps(settings.apps)
        sender = Sender(reactor, may_reach_private=settings.webhook_private_addresses)
        self.messenger = self._messenger(sender)
        listeners: list[Observer] = [Refusals(time.monotonic), self.messenger, self.edges]
        if settings.log_connections:
            listeners.insert(0, log_connection)
        observe = observers(*listeners)
        hall = assemble(
            settings, reactor, self.apps, observe, self.tally, self.connections, self.readiness
        )
        self.relay, self.users, self.signins = hall.relay, hall.users, hall.signins
        self.room = hall.room
        self._around = Surroundings(
            apps=self.apps,
            relay=self.relay,
            signins=self.signins,
            counting=Counting(self.relay, reactor.callLater, observe, spawn),
            connections=self.connections,
            visitors=Visitors(
                time.monotonic, settings.max_connections_per_ip, settings.connection_rate_per_ip
            ),
            observer=observe,
            spawn=spawn,
            clock=time.monotonic,  # reactor.seconds() is the time of day, which may be set
            call_later=reactor.callLater,
        )
        callers = self.callers = Callers()
        desk = Desk(
            self.apps,
            self.relay,
            self.signins,
            self.connections,
            Quotas(time.monotonic),
            self.readiness,
            time.time,
        )
        self._doors = Doors(
            settings, reactor, around=self._around, desk=desk, callers=callers, tally=self.tally
        )
        self.websocket = self._doors.websocket
        self.notify = Notify(reactor, self._status)
        self.stopping = Stopping(
            reactor,
            readiness=self.readiness,
            notify=self.notify,
            connections=self.connections,
            callers=callers,
            sweep=self.websocket.sweep,
            messenger=self.messenger,
            drain=settings.drain,
            said=settings.successor,
        )
        if settings.metrics_port and part is None:
            MetricsService(
                self, reactor, settings.metrics_port, settings.metrics_host
            ).setServiceParent(self)
        rooms = Rooms(
            apps=self.apps,
            connections=self.connections,
            visitors=self._around.visitors,
            cache=hall.cache,
            websocket=self.websocket,
            lane=self._doors.lane,
            front_door=self._doors.front,
            messenger=self.messenger,
            sender=sender,
            certificates=self.certificates,
            call_later=reactor.callLater,
        )
        self.reloading = Reloading(settings, read or (lambda: settings), rooms)

    def listening(self) -> Sequence[str]:
        """Where it listens: ``tcp 127.0.0.1:6001``."""
        return [endpoint_of(port) for port in self._ports]

    def _messenger(self, sender: Sender) -> Messenger:
        """Raises ``CannotStart`` for a webhook that can't be one."""
        reactor = self._reactor
        try:
            return Messenger(
                self.apps,
                sender,
                now=time.time,
                clock=time.monotonic,
                call_later=reactor.callLater,
                spawn=spawn,
                is_news=self._settings.redis is not None,
            )
        except ValueError as error:
            raise CannotStart(str(error)) from error

    # -- starting ------------------------------------------------------------------------

    def setServiceParent(self, parent: Any) -> None:
        """Join the application, and bring along what writes its log."""
        bring_along(parent, self._log_observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Listen while privileges last. Raises ``CannotStart``."""
        self._listen()
        super().privilegedStartService()

    def _listen(self) -> None:
        if self._ports:
            return
        wave = self._wave = wave_on(self._reactor)
        behind = self._doors.behind(self.certificates)
        if self._part is not None:
            self._ports = list(self._part.listen(behind, wave, self._descriptors))
            return
        reactor = SharingReactor(self._reactor) if self._settings.reuse_port else self._reactor
        try:
            for endpoints, factory in zip(
                places(self._settings, self._reactor), behind, strict=True
            ):
                self._ports += listen(reactor, endpoints, factory, wave, self._descriptors)
        except CannotStart:
            for port in self._ports:
                port.stopListening()
            raise

    def startService(self) -> None:
        self._listen()  # twist (26.10) does not call privilegedStartService
        super().startService()
        if self.room is not None:
            self.room.start()
        self.websocket.sweep.start()
        self.certificates.start()
        if self._part is None:
            self.introduce()
        self.readiness.restore("start")
        self.notify.started()

    def introduce(self) -> None:
        """Say in the log who is there, where, and for whom."""
        names = " and ".join(map(name_of, self._ports))
        _log.info("Listening on {names} for {apps}", names=names, apps=self._describe_apps())
        self._descriptors.say_limit()
        if is_development(self._settings):
            _log.warn("{advice}", advice=development_advice(self._ports))

    def _status(self) -> str:
        """As the service manager shows it."""
        return f"{len(self.connections)} connections, {len(self.relay.hub)} channels"

    def _describe_apps(self) -> str:
        ids = [app.id for app in self.apps]
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        return f"app{'s' if len(ids) > 1 else ''} {', '.join(ids[:5])}{more}"

    def reload(self) -> None:
        """Take up what has changed in the configuration and the certificates; see ``reloading``."""
        self.notify.reloading()
        try:
            self.reloading.reload()
        finally:
            self.notify.reloaded()

    # -- stopping ------------------------------------------------------------------------

    def stopService(self) -> Deferred[Any]:
        """Stop in the order that ``stopping`` knows."""
        ports, self._ports = self._ports, []
        self.certificates.stop()
        if self.room is not None:
            self.room.depart()
        stopped = Deferred.fromCoroutine(self.stopping.run(ports))
        return stopped.addErrback(_stop_failure).addCallback(self._rest)

    def _rest(self, _: object) -> Any:
        if self.users is not None:
            self.users.end()
        if self.room is not None:
            self.room.stop()
        self._around.counting.end()
        if self._wave is not None:
            self._wave.close()
        self.notify.close()
        self._descriptors.close()
        return super().stopService()


def _stop_failure(failure: Failure) -> None:
    _log.failure("the relay did not stop in order", failure)
