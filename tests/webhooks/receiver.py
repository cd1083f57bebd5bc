"""A backend that receives webhooks: a real HTTP server on loopback, which behaves as it is told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

DEADLINE = 10.0
"""Seconds after which what has not happened counts as missing; no passing test waits so long."""


@dataclass(frozen=True)
class Received:
    """One request."""

    path: bytes
    headers: dict[bytes, list[bytes]]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = json.loads(self.body)["events"]
        return events


class Receiver(Resource):
    """Answers 200, until it is told what else to do: by ``status``, ``location`` and so on."""

    isLeaf = True

    def __init__(self, reactor: Any, tls: object | None = None) -> None:
        super().__init__()
        self._reactor = reactor
        self.requests: list[Received] = []
        self.connections = 0
        #: The statuses of the next answers; then 200.
        self.statuses: list[int] = []
        self.location = b""
        self.answer = b"ok"
        #: Whether requests are read and never answered.
        self.hangs = False
        #: Whether connections are closed instead of an answer.
        self.hangs_up = False
        #: Whether the answer's body goes on without end, or stops before its end.
        self.answer_never_ends = False
        self._waiting: list[tuple[int, Deferred[None]]] = []
        self._hanging: list[Request] = []
        site = Site(self)
        build = site.buildProtocol
        site.buildProtocol = lambda address: self._count(build(address))
        self.port: IListeningPort = (
            reactor.listenTCP(0, site, interface="127.0.0.1")
            if tls is None
            else reactor.listenSSL(0, site, tls, interface="127.0.0.1")
        )
        self.scheme = "http" if tls is None else "https"

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        return f"{self.scheme}://{host}:{self.port.getHost().port}{path}"

    def when(self, count: int) -> Deferred[None]:
        """Fires when so many requests have come, and fails past the deadline."""
        arrived: Deferred[None] = Deferred()
        self._waiting.append((count, arrived))
        self._look()
        return arrived.addTimeout(DEADLINE, self._reactor)

    async def close(self) -> None:
        for request in self._hanging:
            if request.transport is not None:
                request.transport.abortConnection()
        await self.port.stopListening()

    def events(self) -> list[dict[str, Any]]:
        """The events of all requests, in the order in which they came."""
        return [event for request in self.requests for event in request.events]

    def render(self, request: Request) -> Any:
        headers = {
            name.lower(): values for name, values in request.requestHeaders.getAllRawHeaders()
        }
        self.requests.append(Received(request.uri, headers, request.content.read()))
        self._reactor.callLater(0, self._look)
        if self.hangs_up:
            request.transport.abortConnection()
            return NOT_DONE_YET
        if self.hangs:
            self._hanging.append(request)
            return NOT_DONE_YET
        request.setResponseCode(self.statuses.pop(0) if self.statuses else 200)
        if self.location:
            request.setHeader(b"Location", self.location)
        if self.answer_never_ends:
            request.write(self.answer)
            self._hanging.append(request)
            return NOT_DONE_YET
        return self.answer

    def _count(self, protocol: Any) -> Any:
        self.connections += 1
        return protocol

    def _look(self) -> None:
        there = [one for one in self._waiting if one[0] <= len(self.requests)]
        for one in there:
            self._waiting.remove(one)
            one[1].callback(None)
