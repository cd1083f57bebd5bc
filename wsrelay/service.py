"""The running relay: what is started and stopped, and in which order."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import ILogObserver, Logger, jsonFileLogObserver

from .cluster.local import LocalBus, LocalPresence
from .config.settings import Settings, is_development
from .core.apps import Apps
from .core.connections import Connections
from .core.errors import Code
from .core.hub import Hub
from .core.notices import Tally
from .core.ports import Door
from .core.relay import Relay
from .frontdoor import FrontDoorFactory
from .listening import listen, name_of, tcp_endpoint
from .log import log_notice, spawn
from .pusher import codec
from .pusher.session import Session
from .takeover import take_over
from .transport import Wave, wave_on
from .web.api import Api
from .web.fastlane import FastLaneFactory
from .web.site import IDLE_TIMEOUT, RelaySite
from .websocket.factory import RelayFactory

_log = Logger(namespace="wsrelay")

#: What a message holds besides an event's data: event, channel, auth, channel_data. Bytes.
ROOM_AROUND_DATA = 16 * 1024
#: Seconds that clients have to answer a close frame.
CLOSE_TIMEOUT = 5.0


class RelayService(MultiService):
    """Builds the rooms, introduces them to each other, opens the doors and closes them."""

    def __init__(self, settings: Settings, reactor: Any) -> None:
        super().__init__()
        self.setName("wsrelay")
        self._settings = settings
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._wave: Wave | None = None
        self.tally = Tally()
        self.connections: Connections[Session] = Connections()
        self.apps = Apps(settings.apps)
        self.relay = Relay(Hub(), LocalBus(), LocalPresence(), codec, log_notice, self.tally)
        self.websocket = RelayFactory(
            reactor,
            self._new_session,
            self.tally,
            path_prefix=settings.path_prefix,
            max_message_bytes=max(app.max_event_bytes for app in self.apps) + ROOM_AROUND_DATA,
            max_waiting_bytes=settings.max_waiting_bytes,
            close_timeout=CLOSE_TIMEOUT,
        )
        api = Api(self.apps, self.relay, time.time, settings.path_prefix)
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

    def _new_session(self, door: Door, peer: str) -> Session:
        return Session(
            apps=self.apps,
            relay=self.relay,
            connections=self.connections,
            door=door,
            peer=peer,
            observer=log_notice,
            spawn=spawn,
            clock=self._reactor.seconds,
        )

    # -- starting ------------------------------------------------------------------------

    def setServiceParent(self, parent: Any) -> None:
        """Join the application; with ``log_format = "json"`` also bring the log's form along.

        ``twistd`` looks there for an observer when it starts its log (``AppLogger``, 26.10).
        """
        if self._settings.log_format == "json" and hasattr(parent, "setComponent"):
            parent.setComponent(ILogObserver, jsonFileLogObserver(sys.stdout, recordSeparator=""))
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
