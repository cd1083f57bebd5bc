"""The running relay: what is started and stopped, and in which order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import ILogObserver, Logger

from .cluster.local import LocalBus, LocalPresence
from .config.settings import Settings, is_development
from .core.apps import Apps
from .core.cache import Memory
from .core.connections import Connections
from .core.errors import Code
from .core.hub import Hub
from .core.notices import Tally
from .core.relay import Relay
from .core.signins import SignIns
from .core.users import SignedIn
from .core.visitors import Visitors
from .frontdoor import FrontDoorFactory
from .listening import listen, name_of, tcp_endpoint
from .log import log_notice, spawn
from .pusher import codec
from .pusher.counting import Counting
from .pusher.session import Session
from .pusher.surroundings import Surroundings
from .takeover import take_over
from .transport import Wave, wave_on
from .web.api import Api
from .web.desk import Desk
from .web.fastlane import FastLaneFactory
from .web.quota import Quotas
from .web.site import IDLE_TIMEOUT, RelaySite
from .websocket.factory import RelayFactory

_log = Logger(namespace="wsrelay")

#: What a message holds besides an event's data: event, channel, auth, channel_data. Bytes.
ROOM_AROUND_DATA = 16 * 1024
#: Seconds that clients have to answer a close frame.
CLOSE_TIMEOUT = 5.0


class RelayService(MultiService):
    """Builds the rooms, introduces them to each other, opens the doors and closes them."""

    def __init__(self, settings: Settings, reactor: Any, log_observer: Any = None) -> None:
        super().__init__()
        self.setName("wsrelay")
        self._settings = settings
        self._log_observer = log_observer
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._wave: Wave | None = None
        self.tally = Tally()
        self.connections = Connections()
        self.apps = Apps(settings.apps)
        self.relay = Relay(
            hub=Hub(),
            bus=LocalBus(),
            presence=LocalPresence(),
            cache=Memory(time.monotonic, settings.max_cache_bytes),
            wording=codec,
            observer=log_notice,
            tally=self.tally,
        )
        users = SignedIn(reactor.callLater, lambda app, user: self.signins.gone_offline(app, user))
        self.signins = SignIns(self.relay, users, self.connections, codec)
        self._around = Surroundings(
            apps=self.apps,
            relay=self.relay,
            signins=self.signins,
            counting=Counting(self.relay, reactor.callLater, log_notice),
            connections=self.connections,
            visitors=Visitors(
                time.monotonic, settings.max_connections_per_ip, settings.connection_rate_per_ip
            ),
            observer=log_notice,
            spawn=spawn,
            clock=time.monotonic,  # reactor.seconds() is the time of day, which may be set
            call_later=reactor.callLater,
        )
        self.websocket = RelayFactory(
            reactor,
            lambda door, peer: Session(self._around, door, peer),
            self.tally,
            path_prefix=settings.path_prefix,
            max_message_bytes=max(app.max_event_bytes for app in self.apps) + ROOM_AROUND_DATA,
            max_waiting_bytes=settings.max_waiting_bytes,
            close_timeout=CLOSE_TIMEOUT,
        )
        desk = Desk(self.apps, self.relay, self.signins, self.connections, Quotas(time.monotonic))
        api = Api(desk, time.time, settings.path_prefix)
        site = RelaySite(
            reactor,
            api,
            upgrade=lambda transport, head: take_over(self.websocket, transport, head),
            path_prefix=settings.path_prefix,
            max_body_bytes=settings.max_body_bytes,
            cors_origins=settings.cors_origins,
        )
        self._front_door = FrontDoorFactory(
            reactor,
            self.websocket,
            FastLaneFactory(
                api, site, max_body_bytes=settings.max_body_bytes, idle_timeout=IDLE_TIMEOUT
            ),
            path_prefix=settings.path_prefix,
            handshake_timeout=settings.handshake_timeout,
        )

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
        if not self._ports:
            self._wave = wave_on(self._reactor)
            self._ports = listen(self._reactor, self._endpoints(), self._front_door, self._wave)

    def startService(self) -> None:
        self._listen()  # twist (26.10) does not call privilegedStartService
        super().startService()
        self.websocket.sweep.start()
        names = " and ".join(map(name_of, self._ports))
        _log.info("Listening on {names} for {apps}", names=names, apps=self._describe_apps())
        if is_development(self._settings):
            _log.warn("{advice}", advice=development_advice(self._ports))

    def _endpoints(self) -> Sequence[str]:
        settings = self._settings
        if settings.listen:
            return settings.listen
        if settings.host:
            return [tcp_endpoint(settings.host, settings.port)]
        if is_development(settings):
            return [tcp_endpoint(host, settings.port) for host in ("127.0.0.1", "::1")]
        return [tcp_endpoint("::", settings.port)]

    def _describe_apps(self) -> str:
        ids = [app.id for app in self.apps]
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        return f"app{'s' if len(ids) > 1 else ''} {', '.join(ids[:5])}{more}"

    # -- stopping ------------------------------------------------------------------------

    def stopService(self) -> Deferred[Any]:
        """Stop listening, then close the clients; they come back after a second (4100)."""
        closing: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in self._ports]
        self._ports = []
        self.websocket.sweep.stop()
        for session in list(self.connections):
            session.close(Code.OVER_CAPACITY, "the server is stopping")
        stopped: Deferred[Any] = DeferredList([*closing, self.websocket.when_empty(CLOSE_TIMEOUT)])
        return stopped.addCallback(self._rest)

    def _rest(self, _: object) -> Any:
        if self._wave is not None:
            self._wave.close()
        return super().stopService()


def development_advice(ports: Sequence[IListeningPort]) -> str:
    """The one line that says what runs and why only here, with the lines for Laravel's .env."""
    port = getattr(ports[0].getHost(), "port", 6001)
    return (
        "No app is configured, so the development app runs, whose secret is public, on loopback "
        "only. For Laravel's .env: BROADCAST_CONNECTION=pusher PUSHER_APP_ID=local-app-id "
        "PUSHER_APP_KEY=local-key PUSHER_APP_SECRET=local-secret PUSHER_HOST=127.0.0.1 "
        f"PUSHER_PORT={port} PUSHER_SCHEME=http"
    )
