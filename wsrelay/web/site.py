"""HTTP connections: twisted.web's channel, with bounds, in front of the API."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.web import http

from ..callers import Callers
from .api import ELSEWHERE, Api
from .exchange import Answer, Request, parse_query, refusal

_log = Logger()

#: Seconds without a byte after which an HTTP connection is closed.
IDLE_TIMEOUT = 60

_CORS_METHODS = b"GET, POST, OPTIONS"
_CORS_HEADERS = b"Content-Type, Authorization, X-Requested-With, X-CSRF-TOKEN, X-Socket-ID"


class RelayRequest(http.Request):
    """One request. Nothing of it is parsed that nobody reads: no cookies, forms or files."""

    channel: RelayChannel

    def gotLength(self, length: int | None) -> None:
        most = self.channel.factory.max_body_bytes
        if length is not None and length > most:
            self._refuse_body(most)
            return
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        # Chunked bodies do not say beforehand how long they are.
        most = self.channel.factory.max_body_bytes
        if self.content is None:
            return
        if self.content.tell() + len(data) > most:
            self._refuse_body(most)
            return
        super().handleContentChunk(data)

    def _refuse_body(self, most: int) -> None:
        """Answer 413 before the body has come, and close: the rest is not read."""
        if self.content is not None:  # a file, if it was to be a large one
            self.content.close()
            self.content = None
        self.channel.refuse(
            413, "Content Too Large", f"the body is larger than {most} bytes (max_body_bytes)"
        )

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        # Twisted's own (26.10) parses forms and cookies here, multipart bodies in memory.
        if self.content is None:
            return
        self.content.seek(0)
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, query = path.partition(b"?")
        site = self.channel.factory
        if self.path.startswith(site.app_path) and self.requestHeaders.hasHeader("upgrade"):
            self._give_away(site)
            return
        asked = Request(
            command.decode("latin-1"),
            self.path.decode("utf-8", "replace"),
            parse_query(query.decode("utf-8", "replace")),
            self.content.read(),
            self._asker,
        )
        Deferred.fromCoroutine(site.api.respond(asked)).addCallback(self._send).addErrback(
            lambda failure: _log.failure("an answer was not sent", failure)
        )

    def _asker(self) -> str:
        told = self.requestHeaders.getRawHeaders(b"x-forwarded-for") or []
        head = b"".join(b"\r\nX-Forwarded-For: " + each for each in told)
        return self.channel.factory.asker(self.channel.transport, head)

    def _give_away(self, site: RelaySite) -> None:
        """Let the WebSocket side have this connection, with the request's head as it came.

        The usual handshake is the first request of its connection and never gets here; a proxy
        that keeps connections open may send one as a later request.
        """
        transport = self.channel.transport
        site.callers.discard(self.channel)
        self.channel.setTimeout(None)
        transport.unregisterProducer()
        head = [self.method + b" " + self.uri + b" HTTP/1.1"]
        for name, values in self.requestHeaders.getAllRawHeaders():
            head.extend(name + b": " + value for value in values)
        site.upgrade(transport, b"\r\n".join([*head, b"", b""]))
        # The channel paused reading while it served the request (Twisted 26.10).
        transport.resumeProducing()

    def _send(self, answer: Answer) -> None:
        if self._disconnected:
            return
        self.setResponseCode(answer.status, HTTPStatus(answer.status).phrase.encode())
        headers = self.responseHeaders
        if answer.status != 204:
            headers.setRawHeaders(b"content-type", [answer.content_type.encode()])
        headers.setRawHeaders(b"content-length", [b"%d" % len(answer.body)])
        headers.setRawHeaders(b"date", [self.channel.factory.api.date().encode()])
        for name, value in answer.headers:
            headers.setRawHeaders(name, [value])
        self._allow_origin()
        if self.channel.factory.callers.is_leaving:
            self.channel.persistent = False
            headers.setRawHeaders(b"connection", [b"close"])
        if self.method != b"HEAD":
            self.write(answer.body)
        self.finish()

    def _allow_origin(self) -> None:
        origin = self.requestHeaders.getRawHeaders(b"origin")
        if not origin:
            return
        allowed = self.channel.factory.cors_origins
        if "*" not in allowed:
            self.responseHeaders.setRawHeaders(b"vary", [b"Origin"])
            if origin[0].decode("latin-1") not in allowed:
                return
        self.responseHeaders.setRawHeaders(
            b"access-control-allow-origin", [b"*" if "*" in allowed else origin[0]]
        )
        if self.method == b"OPTIONS":
            self.responseHeaders.setRawHeaders(b"access-control-allow-methods", [_CORS_METHODS])
            self.responseHeaders.setRawHeaders(b"access-control-allow-headers", [_CORS_HEADERS])
            self.responseHeaders.setRawHeaders(b"access-control-max-age", [b"86400"])


class RelayChannel(http.HTTPChannel):
    """HTTP/1.1 only: with ``h2`` negotiated there would be no transport for an upgrade."""

    factory: RelaySite
    transport: Any
    requestFactory = RelayRequest
    #: Ends the wait for the rest of the request that has begun.
    _deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.callers.add(self)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self._stop_waiting()
        self.factory.callers.discard(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        # Twisted's own timeout (26.10) begins anew with every byte.
        if self._deadline is None and not self._handlingRequest:
            self._deadline = self.callLater(self.factory.request_timeout, self._give_up)
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        self._stop_waiting()
        super().allContentReceived()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        seconds = self.factory.request_timeout
        self.refuse(
            408,
            "Request Timeout",
            f"the request has not come whole within {seconds:g} seconds (request_timeout)",
        )
        self.timeoutConnection()

    def refuse(self, status: int, phrase: str, message: str) -> None:
        """Answer a request that is not whole, and close: the rest of it is not read."""
        self.factory.api.count(ELSEWHERE, status, 0)
        body = refusal(status, message).body
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (status, phrase.encode(), len(body), body)
        )
        self.loseConnection()

    @property
    def is_asking(self) -> bool:
        return bool(self.requests)

    def hang_up(self) -> None:
        self.loseConnection()

    def headerReceived(self, line: bytes) -> bool:
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a length of more digits than int() reads (Twisted 26.10)
            return bool(super().headerReceived(b"not a field"))  # which is answered 400


class RelaySite(http.HTTPFactory):
    """Builds HTTP connections that ask the API."""

    protocol = RelayChannel  # type: ignore[assignment]
    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        api: Api,
        *,
        upgrade: Callable[[Any, bytes], None],
        asker: Callable[[Any, bytes], str],
        path_prefix: str,
        max_body_bytes: int,
        request_timeout: float,
        cors_origins: tuple[str, ...],
        callers: Callers | None = None,
    ) -> None:
        super().__init__(timeout=IDLE_TIMEOUT, reactor=reactor)
        self.api = api
        self.callers = Callers() if callers is None else callers
        #: Makes a transport a WebSocket, given the head of its handshake.
        self.upgrade = upgrade
        #: Names whom a request is of, given its transport and its head.
        self.asker = asker
        self.app_path = f"{path_prefix}/app/".encode()
        self.max_body_bytes = max_body_bytes
        #: Seconds from a request's first byte to its last.
        self.request_timeout = request_timeout
        self.cors_origins = cors_origins

    def log(self, request: http.Request) -> None:
        """No line per request: the log tells of connections, the metrics count."""
