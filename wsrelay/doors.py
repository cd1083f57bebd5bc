"""The doors of the relay: what stands behind a port, and at which ports the settings want it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from .callers import Callers
from .config.settings import Settings, has_plain_port, is_development, tls_listeners
from .core.notices import Tally
from .frontdoor import FrontDoorFactory
from .inheriting import inherited
from .listening import any_address, is_tls, tcp_endpoint
from .proxies import Proxies
from .pusher.session import Session
from .pusher.surroundings import Surroundings
from .reloading import longest_message
from .stopping import CLOSE_TIMEOUT
from .takeover import take_over
from .tls.certificates import Certificates
from .tls.failures import Failures
from .web.api import Api
from .web.desk import Desk
from .web.fastlane import FastLaneFactory
from .web.site import IDLE_TIMEOUT, RelaySite
from .websocket.factory import RelayFactory


class Doors:
    """Sockets, the two roads of HTTP, and the front door before them, introduced to each other."""

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        *,
        around: Surroundings,
        desk: Desk,
        callers: Callers,
        tally: Tally,
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._proxies = Proxies(settings, reactor, tally)
        self._failures = Failures(tally, time.monotonic)
        self.websocket = RelayFactory(
            reactor,
            lambda door, peer: Session(around, door, peer),
            tally,
            path_prefix=settings.path_prefix,
            echo_path=settings.echo_path,
            deflate=settings.deflate,
            trusted=self._proxies.trusted,
            max_message_bytes=longest_message(settings),
            max_waiting_bytes=settings.max_waiting_bytes,
            close_timeout=CLOSE_TIMEOUT,
        )
        api = Api(desk, tally, time.time, time.monotonic, settings.path_prefix)
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
        self.lane = FastLaneFactory(
            api, site, max_body_bytes=settings.max_body_bytes, idle_timeout=IDLE_TIMEOUT
        )
        self.front = FrontDoorFactory(
            reactor,
            self.websocket,
            self.lane,
            path_prefix=settings.path_prefix,
            echo_path=settings.echo_path,
            handshake_timeout=settings.handshake_timeout,
            callers=callers,
        )

    def behind(self, certificates: Certificates) -> Iterator[IProtocolFactory]:
        """What stands behind each of ``places``."""
        settings = self._settings
        if settings.listen or has_plain_port(settings):
            yield self._proxies.before(self.front, settings.proxy_protocol)
        for door in certificates.doors:
            behind = door.factory(self.front, self._reactor, self._failures)
            yield self._proxies.before(behind, door.settings.proxy_protocol)


def places(settings: Settings, reactor: Any) -> Iterator[Sequence[str]]:
    """Where to listen: the endpoints of the plain port, if there is one, then of each of TLS."""
    if settings.listen or has_plain_port(settings):
        listen = settings.listen or inherited(reactor, settings)
        yield _endpoints(settings, listen, settings.host, settings.port)
    for tls in tls_listeners(settings):
        yield _endpoints(settings, tls.listen, tls.host or settings.host, tls.port)


def _endpoints(settings: Settings, listen: Sequence[str], host: str, port: int) -> Sequence[str]:
    if listen:
        return listen
    if host:
        return [tcp_endpoint(host, port)]
    if is_development(settings):
        return [tcp_endpoint(host, port) for host in ("127.0.0.1", "::1")]
    return [tcp_endpoint(any_address(), port)]


def development_advice(ports: Sequence[IListeningPort]) -> str:
    """The one line that says what runs and why only here, with the lines for Laravel's .env."""
    port = getattr(ports[0].getHost(), "port", 6001)
    return (
        "No app is configured, so the development app runs, whose secret is public, on loopback "
        "only. For Laravel's .env: BROADCAST_CONNECTION=pusher PUSHER_APP_ID=local-app-id "
        "PUSHER_APP_KEY=local-key PUSHER_APP_SECRET=local-secret PUSHER_HOST=127.0.0.1 "
        f"PUSHER_PORT={port} PUSHER_SCHEME={'https' if is_tls(ports[0]) else 'http'}"
    )
