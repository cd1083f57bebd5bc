"""The whole server in this process, on a free port of 127.0.0.1, and clients with real sockets.

Everything that is waited for has the deadline of the test case. Trial fails a test that leaves
something behind in the reactor, and one after which an error stands in the log.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import txaio
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from tests.signing import APP, signed_target
from tests.unwatched import unwatched
from tests.visitor import Visitor, visitors
from wsrelay.config.settings import Settings
from wsrelay.service import RelayService

#: Tests run on the one reactor that there is; only the product may not name it here.
reactor: Any = import_module("twisted.internet.reactor")


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The text of a refusal, whose body repeats the status."""
        told = self.json
        assert set(told) == {"error", "code"}
        assert told["code"] == self.status
        text = told["error"]
        assert isinstance(text, str)
        return text


class Http(Protocol):
    """An HTTP connection on which a test writes what bytes it likes."""

    transport: Any

    def __init__(self) -> None:
        self._arrived = b""
        self.is_closed = False
        self._waiting: Deferred[None] | None = None

    def dataReceived(self, data: bytes) -> None:
        self._arrived += data
        self._tell()

    def connectionLost(self, reason: object = None) -> None:
        self.is_closed = True
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def _more(self) -> None:
        assert not self.is_closed, f"closed after {self._arrived!r}"
        self._waiting = Deferred()
        await self._waiting

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    async def until(self, end: bytes) -> bytes:
        """All bytes up to and with ``end``."""
        while end not in self._arrived:
            await self._more()
        found, _, self._arrived = self._arrived.partition(end)
        return found + end

    async def response(self, to: str = "GET") -> Response:
        """The next response; what has no body is known by its request's method."""
        head = (await self.until(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.rstrip().split("\r\n")
        version, status, _ = start.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, f"twice: {line}"
            headers[name.lower()] = value
        length = int(headers.get("content-length", 0))
        if to == "HEAD" or status in ("100", "204"):
            length = 0
        while len(self._arrived) < length:
            await self._more()
        body, self._arrived = self._arrived[:length], self._arrived[length:]
        return Response(int(status), headers, body)

    async def closed_after(self, data: bytes) -> bytes:
        """Answer the server's close frame, whatever that needs, and wait for the end."""
        while not self._arrived:
            await self._more()
        self.send(data)
        return await self.closed()

    async def closed(self) -> bytes:
        """Wait for the server to close; what came besides."""
        while not self.is_closed:
            await self._more()
        return self._arrived


def request(method: str, target: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as a backend's library writes it."""
    fields = {"Host": "relay.example", **{k.replace("_", "-"): v for k, v in headers.items()}}
    if body:
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Timers:
    """The reactor for Autobahn's timers, which remembers them.

    Autobahn (26.10.2) leaves the one of a closing handshake behind when the connection goes
    first, and trial does not like what is left behind.
    """

    def __init__(self) -> None:
        self._calls: list[IDelayedCall] = []
        self.seconds = reactor.seconds

    def callLater(self, *args: Any, **kwargs: Any) -> IDelayedCall:
        call: IDelayedCall = reactor.callLater(*args, **kwargs)
        self._calls.append(call)
        return call

    def cancel(self) -> None:
        for call in self._calls:
            if call.active():
                call.cancel()


class LoopbackTestCase(TestCase):
    """A test with a running relay."""

    #: Seconds for one test.
    timeout = 10
    settings = Settings(apps=(APP,), host="127.0.0.1", port=0)

    async def setUp(self) -> None:
        self.log: list[LogEvent] = []
        self._clients: list[Any] = []
        globalLogPublisher.addObserver(self.log.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.log.append)
        timers = _Timers()
        self.addCleanup(timers.cancel)
        self.patch(txaio.config, "loop", timers)
        self.relay = RelayService(unwatched(self.settings), reactor)
        self._has_stopped = False
        self.relay.privilegedStartService()
        self.relay.startService()
        found = re.search(r"Listening on (?:\S*):(\d+) ", self.log_text)
        assert found is not None, self.log_text
        self.port = int(found[1])

    async def tearDown(self) -> None:
        for client in self._clients:
            client.transport.abortConnection()
        while self.of_server_sockets(socket.socket.fileno):
            await self.a_turn()
        await self.stop()

    async def stop(self) -> None:
        """Stop the relay, once."""
        if not self._has_stopped:
            self._has_stopped = True
            await self.relay.stopService()

    @property
    def log_text(self) -> str:
        return "\n".join(formatEvent(event) for event in self.log)

    def of_server_sockets(self, question: Callable[[socket.socket], Any]) -> list[Any]:
        """The answers of all sockets in this process that are the server's end of a connection."""
        answers = []
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            try:
                if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                    continue
                with socket.socket(fileno=os.dup(descriptor)) as each:
                    is_listening = each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                    if not is_listening and each.getsockname()[1] == self.port:
                        answers.append(question(each))
            except (OSError, IndexError):  # of another kind, or the descriptor of the listing
                continue
        return answers

    async def a_turn(self) -> None:
        """Let the reactor do what there is to do."""
        await deferLater(reactor, 0.001)

    # -- clients ---------------------------------------------------------------------------

    async def http(self) -> Http:
        """A fresh HTTP connection."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        connection = await connectProtocol(endpoint, Http())
        self._clients.append(connection)
        return connection

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
        """The answer to one request on a connection of its own."""
        connection = await self.http()
        connection.send(request(method, target, body, **headers))
        response = await connection.response(to=method)
        connection.transport.loseConnection()
        return response

    async def publish(self, body: bytes, **headers: str) -> Response:
        """The answer to a signed ``POST /apps/{id}/events``."""
        target = signed_target("POST", f"/apps/{APP.id}/events", body)
        return await self.ask("POST", target, body, **headers)

    async def visitor(self, path: str = f"/app/{APP.key}?protocol=7", **options: Any) -> Visitor:
        """A visitor whose handshake is through."""
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", self.port)
        visitor: Visitor = await endpoint.connect(visitors(reactor, path, **options))
        self._clients.append(visitor)
        await visitor.is_open
        return visitor

    async def guest(self, *channels: str) -> Visitor:
        """A visitor who has been welcomed, and is subscribed to the channels."""
        visitor = await self.visitor()
        await visitor.welcome()
        for channel in channels:
            await visitor.joined(channel)
        return visitor
