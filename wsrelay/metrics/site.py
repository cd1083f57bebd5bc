"""HTTP for those who watch: ``/metrics``, ``/status``, ``/up`` and ``/ready``.

Read only, small and bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any

from msgspec import json
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.registry import Collector
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http

_log = Logger()

#: Seconds without a byte after which a connection is closed.
IDLE_TIMEOUT = 60
#: Connections at a time; further ones are closed at once.
MOST_CONNECTIONS = 32
#: Seconds for which a page is told again instead of being made anew, so that many who ask cannot
#: keep the reactor busy.
KEPT_FOR = 1.0

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
#: Type and content.
Page = tuple[str, bytes]


class _Request(http.Request):
    """A request without a body: whatever comes of one is not kept."""

    channel: _Channel

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        pass

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        # Twisted's own (26.10) parses forms and cookies here.
        self.method, self.uri, self.clientproto = command, path, version
        site = self.channel.factory
        # As bytes: Twisted (26.10) raises for text that is not UTF-8.
        accept = b",".join(self.requestHeaders.getRawHeaders(b"accept") or ())
        status, (kind, body) = site.answer(
            command, path.partition(b"?")[0], accept.decode("latin-1")
        )
        self.setResponseCode(status, HTTPStatus(status).phrase.encode())
        headers = self.responseHeaders
        headers.setRawHeaders(b"content-type", [kind.encode()])
        headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
        headers.setRawHeaders(b"cache-control", [b"no-store"])
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.setRawHeaders(b"allow", [b"GET, HEAD"])
        if command != b"HEAD":
            self.write(body)
        self.finish()


class _Channel(http.HTTPChannel):
    factory: MetricsSite
    requestFactory = _Request

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.open_connections -= 1
        super().connectionLost(reason)


class MetricsSite(http.HTTPFactory):
    """``status`` makes the document of ``/status``; ``timer`` is monotonic, in seconds."""

    protocol = _Channel  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        registry: CollectorRegistry | Collector,
        status: Callable[[], Any],
        timer: Callable[[], float],
    ) -> None:
        super().__init__(timeout=IDLE_TIMEOUT, reactor=reactor)
        self.open_connections = 0
        self._timer = timer
        self._registry = registry
        self._status = status
        #: By path and type: the page, and until when it is told again.
        self._kept: dict[tuple[bytes, str], tuple[bytes, float]] = {}

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if self.open_connections >= MOST_CONNECTIONS:
            return None
        self.open_connections += 1
        return super().buildProtocol(addr)

    def answer(self, method: bytes, path: bytes, accept: str) -> tuple[int, Page]:
        """Status and page; a fault of ours is logged and answered 500."""
        if path not in (b"/metrics", b"/status", b"/up", b"/ready"):
            return 404, (_TEXT, b"here are /metrics (Prometheus), /status (JSON), /up, /ready\n")
        if method not in (b"GET", b"HEAD"):
            return 405, (_TEXT, b"expected GET, HEAD\n")
        if path == b"/up":
            return 200, (_JSON, b'{"health":"OK"}')
        try:
            if path == b"/ready":
                return self._ready()
            return 200, self._page(path, accept)
        except Exception:
            _log.failure("{path} could not be told", path=path.decode())
            return 500, (_TEXT, b"internal error; the server's log says more\n")

    def _ready(self) -> tuple[int, Page]:
        """As on the port of the clients, but of the whole relay."""
        told = self._status()
        if told["ready"]:
            return 200, (_JSON, b'{"ready":true}')
        return 503, (_JSON, json.encode({"error": "; ".join(told["reasons"]), "code": 503}))

    def _page(self, path: bytes, accept: str) -> Page:
        kind, make = (
            (_JSON, lambda: json.encode(self._status()))
            if path == b"/status"
            else self._exposition(accept)
        )
        now = self._timer()
        page, good_until = self._kept.get((path, kind), (b"", now))
        if now >= good_until:
            page = make()
            if len(self._kept) > 8:  # a client may ask for any version of OpenMetrics
                self._kept.clear()
            self._kept[path, kind] = page, now + KEPT_FOR
        return kind, page

    def _exposition(self, accept: str) -> tuple[str, Callable[[], bytes]]:
        """Prometheus' text or OpenMetrics, as the scraper prefers."""
        try:
            encode, kind = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number (prometheus_client 0.26)
            encode, kind = generate_latest, _TEXT
        # A collector is all that they ask of it (prometheus_client 0.26).
        return kind, partial(encode, self._registry)

    def log(self, request: http.Request) -> None:
        """No line per scrape."""
