"""The running relay: what is started and stopped, and in which order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from .assembling import assemble
from .callers import Callers
from .config.settings import Settings, has_plain_port, is_development, tls_listeners
from .core.apps import Apps
from .core.connections import Connections
from .core.notices import Tally
from .core.ports import Observer
from .core.readiness import Readiness
from .core.visitors import Visitors
from .descriptors import Descriptors, raise_limit
from .frontdoor import FrontDoorFactory
from .inheriting import inherited
from .listening import (
    CannotStart,
    any_address,
    endpoint_of,
    is_tls,
    listen,
    name_of,
    tcp_endpoint,
)
from .log import log_connection, log_refusal, observers, spawn
from .metrics.edges import Edges
from .metrics.service import MetricsService
from .notify import Notify
from .proxies import Proxies
from .pusher.counting import Counting
from .pusher.session import Session
from .pusher.surroundings import Surroundings
from .reloading import Reloading, Rooms, longest_message
from .sharing import SharingReactor
from .stopping import CLOSE_TIMEOUT, Stopping
from .takeover import take_over
from .tls.certificates import Certificates
from .tls.failures import Failures
from .transport import Wave, wave_on
from .web.api import Api
from .web.desk import Desk
from .web.fastlane import FastLaneFactory
from .web.quota import Quotas
from .web.site import IDLE_TIMEOUT, RelaySite
from .webhooks.messenger import Messenger
from .webhooks.sender import Sender
from .websocket.factory import RelayFactory

_log = Logger(namespace="wsrelay")


class RelayService(MultiService):
    """Builds the rooms, introduces them to each other, opens the doors and closes them."""

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        log_observer: Any = None,
        read: Callable[[], Settings] | None = None,
    ) -> None:
        """``read`` reads the settings anew when they are to be reloaded."""
        super().__init__()
        self.setName("wsrelay")
        self._settings = settings
        self._log_observer = log_observer
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._wave: Wave | None = None
        self.certificates = Certificates(tls_listeners(settings), reactor, time.time)
        self.tally = Tally()
        self.readiness = Readiness()
        self.readiness.withdraw("start", "the server is starting")
        self.edges = Edges()
        self.connections = Connections()
        self._descriptors = Descriptors(raise_limit(), self.connections, self.tally, time.monotonic)
        self._proxies = Proxies(settings, reactor, self.tally)
        self.apps = Apps(settings.apps)
        sender = Sender(reactor, may_reach_private=settings.webhook_private_addresses)
        self.messenger = self._messenger(sender)
        listeners: list[Observer] = [log_refusal, self.messenger, self.edges]
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
        self.websocket = RelayFactory(
            reactor,
            lambda door, peer: Session(self._around, door, peer),
            self.tally,
            path_prefix=settings.path_prefix,
            echo_path=settings.echo_path,
            deflate=settings.deflate,
            trusted=self._proxies.trusted,
            max_message_bytes=longest_message(settings),
            max_waiting_bytes=settings.max_waiting_bytes,
            close_timeout=CLOSE_TIMEOUT,
        )
        callers = self.callers = Callers()
        quotas = Quotas(time.monotonic)
        desk = Desk(
            self.apps,
            self.relay,
            self.signins,
            self.connections,
            quotas,
            self.readiness,
            time.time,
        )
        api = Api(desk, self.tally, time.time, time.monotonic, settings.path_prefix)
        site = RelaySite(
            reactor,
            api,
            upgrade=lambda transport, head: take_over(self.websocket, transport, head),
            asker=self._proxies.trusted.asker,
            path_prefix=settings.path_prefix,
            max_body_bytes=settings.max_body_bytes,
            request_timeout=settings.request_timeout,
            cors_origins=settings.cors_origins,
            callers=callers,
        )
        lane = FastLaneFactory(
            api, site, max_body_bytes=settings.max_body_bytes, idle_timeout=IDLE_TIMEOUT
        )
        self._front_door = FrontDoorFactory(
            reactor,
            self.websocket,
            lane,
            path_prefix=settings.path_prefix,
            echo_path=settings.echo_path,
            handshake_timeout=settings.handshake_timeout,
            callers=callers,
        )
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
        if settings.metrics_port:
            MetricsService(
                self, reactor, settings.metrics_port, settings.metrics_host
            ).setServiceParent(self)
        rooms = Rooms(
            apps=self.apps,
            connections=self.connections,
            visitors=self._around.visitors,
            cache=hall.cache,
            websocket=self.websocket,
            lane=lane,
            front_door=self._front_door,
            messenger=self.messenger,
            sender=sender,
            certificates=self.certificates,
            call_later=reactor.callLater,
        )
        self._reloading = Reloading(settings, read or (lambda: settings), rooms)

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
        """Join the application, and bring along what writes its log.

        ``twistd`` looks for it there when it starts its log (``AppLogger``, Twisted 26.10).
        """
        if self._log_observer is not None and hasattr(parent, "setComponent"):
            parent.setComponent(ILogObserver, self._log_observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Listen while privileges last. Raises ``CannotStart``."""
        self._listen()
        super().privilegedStartService()

    def _listen(self) -> None:
        if self._ports:
            return
        self._wave = wave_on(self._reactor)
        reactor = SharingReactor(self._reactor) if self._settings.reuse_port else self._reactor
        try:
            for endpoints, factory in self._doors():
                self._ports += listen(reactor, endpoints, factory, self._wave, self._descriptors)
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
        names = " and ".join(map(name_of, self._ports))
        _log.info("Listening on {names} for {apps}", names=names, apps=self._describe_apps())
        self._descriptors.say_limit()
        if is_development(self._settings):
            _log.warn("{advice}", advice=development_advice(self._ports))
        self.readiness.restore("start")
        self.notify.started()

    def _status(self) -> str:
        """As the service manager shows it."""
        return f"{len(self.connections)} connections, {len(self.relay.hub)} channels"

    def _doors(self) -> Iterator[tuple[Sequence[str], IProtocolFactory]]:
        settings = self._settings
        failures = Failures(self.tally, time.monotonic)
        if settings.listen or has_plain_port(settings):
            listen = settings.listen or inherited(self._reactor, settings)
            yield (
                self._endpoints(listen, settings.host, settings.port),
                self._proxies.before(self._front_door, settings.proxy_protocol),
            )
        for door in self.certificates.doors:
            tls = door.settings
            yield (
                self._endpoints(tls.listen, tls.host or settings.host, tls.port),
                self._proxies.before(
                    door.factory(self._front_door, self._reactor, failures), tls.proxy_protocol
                ),
            )

    def _endpoints(self, listen: Sequence[str], host: str, port: int) -> Sequence[str]:
        if listen:
            return listen
        if host:
            return [tcp_endpoint(host, port)]
        if is_development(self._settings):
            return [tcp_endpoint(host, port) for host in ("127.0.0.1", "::1")]
        return [tcp_endpoint(any_address(), port)]

    def _describe_apps(self) -> str:
        ids = [app.id for app in self.apps]
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        return f"app{'s' if len(ids) > 1 else ''} {', '.join(ids[:5])}{more}"

    def reload(self) -> None:
        """Take up what has changed in the configuration and the certificates; see ``reloading``."""
        self.notify.reloading()
        try:
            self._reloading.reload()
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


def development_advice(ports: Sequence[IListeningPort]) -> str:
    """The one line that says what runs and why only here, with the lines for Laravel's .env."""
    port = getattr(ports[0].getHost(), "port", 6001)
    return (
        "No app is configured, so the development app runs, whose secret is public, on loopback "
        "only. For Laravel's .env: BROADCAST_CONNECTION=pusher PUSHER_APP_ID=local-app-id "
        "PUSHER_APP_KEY=local-key PUSHER_APP_SECRET=local-secret PUSHER_HOST=127.0.0.1 "
        f"PUSHER_PORT={port} PUSHER_SCHEME={'https' if is_tls(ports[0]) else 'http'}"
    )
