"""The whole server without a socket: bytes go in, bytes come out, and the time is the test's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import txaio
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from tests.signing import APP
from tests.unwatched import unwatched
from tests.visitor import Visitor, visitors
from wsrelay.config.settings import Settings
from wsrelay.service import RelayService

#: What a transport of Twisted's buffers before it tells its producer to pause.
FULL = 64 * 1024

HANDSHAKE = (
    b"GET /app/%b?protocol=7 HTTP/1.1\r\nHost: 127.0.0.1:6001\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n%b\r\n"
)


def handshake(key: str = APP.key, headers: bytes = b"") -> bytes:
    return HANDSHAKE % (key.encode(), headers)


class Line:
    """A TCP connection. The client's end is the test; the server's is a transport as Twisted's."""

    def __init__(self, reactor: Any, number: int) -> None:
        self._reactor = reactor
        self._peer = IPv4Address("TCP", "192.0.2.1", number)
        self.protocol: Any = None
        self.is_open = True
        self.was_aborted = False
        #: False while the client does not read what it is sent.
        self.is_read = True
        self._arrived = b""
        self._buffered: list[bytes] = []
        self._producer: Any = None
        self._told_to_pause = False
        self._is_paused = False
        self._unheard = b""
        self.disconnecting = False
        #: How often the server wrote.
        self.writes = 0
        self.on_arrival: Callable[[], None] | None = None

    # -- the client's end ------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Bytes for the server; while it takes none they wait."""
        if not self.is_open:
            return
        if self._is_paused or self.disconnecting:
            self._unheard += data
        elif data:
            self.protocol.dataReceived(data)

    def read(self) -> bytes:
        """What has arrived since the last time."""
        arrived, self._arrived = self._arrived, b""
        return arrived

    def catch_up(self) -> None:
        """Read again, all that waits to begin with."""
        self.is_read = True
        while self._buffered:
            self._arrived += b"".join(self._buffered)
            self._buffered = []
            if self._told_to_pause:
                self._told_to_pause = False
                self._producer.resumeProducing()
        self._close_if_written()

    @property
    def unread_bytes(self) -> int:
        """What has been written and waits for the client to read again."""
        return sum(map(len, self._buffered))

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self._lose(ConnectionDone())

    # -- the server's transport ------------------------------------------------------------

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        if not self.is_open:
            return
        self.writes += 1
        if self.is_read:
            self._arrived += data
            if self.on_arrival is not None:
                self.on_arrival()
            return
        self._buffered.append(data)
        if self._producer is not None and self.unread_bytes > FULL:
            self._told_to_pause = True
            self._producer.pauseProducing()

    def writeSequence(self, data: list[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._close_if_written()

    def abortConnection(self) -> None:
        if self.is_open:
            self.was_aborted = True
            self.disconnecting = True
            self._reactor.callLater(0, self._lose, ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self._producer is None
        assert streaming
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None
        self._told_to_pause = False

    def pauseProducing(self) -> None:
        self._is_paused = True

    def resumeProducing(self) -> None:
        self._is_paused = False
        if self._unheard and not self.disconnecting:
            unheard, self._unheard = self._unheard, b""
            self._reactor.callLater(0, self.send, unheard)

    def stopProducing(self) -> None:
        self.loseConnection()

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def getPeer(self) -> IPv4Address:
        return self._peer

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 6001)

    def _close_if_written(self) -> None:
        if self.disconnecting and not self._buffered and self.is_open:
            self._reactor.callLater(0, self._lose, ConnectionDone())

    def _lose(self, reason: Exception) -> None:
        if self.is_open:
            self.is_open = False
            self.disconnecting = True
            self.protocol.connectionLost(Failure(reason))


class Wire:
    """A visitor's transport: what he writes goes into a line, what arrives there comes to him."""

    def __init__(self, line: Line, visitor: Visitor) -> None:
        self._line = line
        self._visitor = visitor

    def pump(self) -> None:
        if arrived := self._line.read():
            self._visitor.dataReceived(arrived)

    def write(self, data: bytes) -> None:
        self._line.send(data)

    def loseConnection(self) -> None:
        self._line.hang_up()

    abortConnection = loseConnection

    def unregisterProducer(self) -> None:
        pass

    def getPeer(self) -> IPv4Address:
        return self._line.getHost()


class Server:
    """A started ``RelayService`` on a reactor whose time stands still until ``advance``."""

    def __init__(self, settings: Settings, read: Callable[[], Settings] | None = None) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.service = RelayService(
            unwatched(settings), self.reactor, read=read and (lambda: unwatched(read()))
        )
        self.service.privilegedStartService()
        self.service.startService()
        self._wires: list[Wire] = []
        self._lines: list[Line] = []
        self._number = 50_000

    def line(self) -> Line:
        """A fresh connection to the first port."""
        factory = self.reactor.tcpServers[0][1]
        self._number += 1
        line = Line(self.reactor, self._number)
        line.protocol = factory.buildProtocol(line.getPeer())
        line.protocol.makeConnection(line)
        self._lines.append(line)
        return line

    def visitor(self, path: str = f"/app/{APP.key}?protocol=7", **options: Any) -> Visitor:
        """A visitor whose handshake is through; his first messages are there to be read."""
        line = self.line()
        visitor = visitors(self.reactor, path, **options).buildProtocol(None)
        wire = Wire(line, visitor)
        visitor.line = line
        self._wires.append(wire)
        visitor.makeConnection(wire)
        self.turn()
        return visitor

    def guest(self, *channels: str) -> Visitor:
        """A visitor who has been welcomed, and is subscribed to the channels."""
        visitor = self.visitor()
        established = visitor.messages.popleft()
        visitor.socket_id = json.loads(established["data"])["socket_id"]
        for channel in channels:
            visitor.subscribe(channel)
        self.turn()
        assert [told["event"] for told in visitor.take()] == [
            "pusher_internal:subscription_succeeded" for _ in channels
        ]
        return visitor

    def hang_up(self) -> None:
        """End all connections."""
        for line in self._lines:
            line.hang_up()

    def turn(self) -> None:
        """Let the reactor do what is due, and everybody read what came of it."""
        self.advance(0)

    def advance(self, seconds: float) -> None:
        self.reactor.advance(seconds)
        is_quiet = False
        while not is_quiet:
            before = [wire._line.writes for wire in self._wires]
            for wire in self._wires:
                wire.pump()
            self.reactor.advance(0)
            is_quiet = before == [wire._line.writes for wire in self._wires]
        for wire in self._wires:
            wire.pump()


@contextmanager
def running(
    settings: Settings | None = None, read: Callable[[], Settings] | None = None
) -> Iterator[Server]:
    """A server in memory, with Autobahn's timers on its clock too; ``read`` is for reloads."""
    if settings is None:
        settings = Settings(apps=(APP,))
    real_loop = txaio.config.loop
    server = Server(settings, read)
    txaio.config.loop = server.reactor
    try:
        yield server
    finally:
        server.hang_up()
        txaio.config.loop = real_loop
