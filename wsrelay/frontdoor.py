"""Sockets and HTTP on one port: the head of the first request says which it is.

A WebSocket handshake goes to Autobahn as it came, everything else to twisted.web. Deciding here
spares each of the two the other's parser.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol

from .callers import Callers
from .takeover import take_over

#: A head longer than this is not a browser's. Bytes.
LONGEST_HEAD = 16 * 1024
#: How TLS begins (RFC 8446, 5.1), and nothing that is spoken here.
TLS_HANDSHAKE = b"\x16"


class FrontDoor(Protocol):
    """Reads the head of the first request, then hands the connection over and is gone."""

    factory: FrontDoorFactory
    transport: Any

    def __init__(self) -> None:
        self._read = b""

    def connectionMade(self) -> None:
        self._deadline = self.factory.reactor.callLater(
            self.factory.handshake_timeout, self.transport.abortConnection
        )
        self.factory.callers.add(self)

    def dataReceived(self, data: bytes) -> None:
        data = self._read = self._read + data
        is_whole = data.find(b"\r\n\r\n") >= 0
        if not is_whole and len(data) <= LONGEST_HEAD and data[:1].isalpha():
            return  # the deadline goes on
        if (
            is_whole
            and data.startswith(self.factory.socket_starts)
            and data.lower().find(b"\r\nupgrade:") >= 0
        ):
            self._hand_over(self.factory.websocket)
        elif data.startswith(TLS_HANDSHAKE):
            self.transport.loseConnection()  # twisted.web would wait for the end of a line
        else:
            self._hand_over(self.factory.web)  # which also knows how to refuse what is no head

    def _hand_over(self, factory: IProtocolFactory) -> None:
        self._deadline.cancel()
        take_over(factory, self.transport, self._read)
        self.factory.callers.discard(self)

    def connectionLost(self, reason: object = None) -> None:
        self.factory.callers.discard(self)
        if self._deadline.active():
            self._deadline.cancel()

    @property
    def is_asking(self) -> bool:
        return bool(self._read)

    def hang_up(self) -> None:
        self.transport.loseConnection()


class FrontDoorFactory(Factory):
    """Stands at every listening port."""

    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        websocket: IProtocolFactory,
        web: IProtocolFactory,
        *,
        callers: Callers | None = None,
        path_prefix: str,
        echo_path: str = "",
        handshake_timeout: float,
    ) -> None:
        self.reactor = reactor
        self.websocket = websocket
        self.web = web
        self.callers = Callers() if callers is None else callers
        paths = [f"{path_prefix}/app/"]
        if echo_path:
            paths.append(f"{path_prefix}{echo_path}")
        #: How the request for a WebSocket may begin.
        self.socket_starts = tuple(f"GET {path}".encode() for path in paths)
        self.handshake_timeout = handshake_timeout

    def doStart(self) -> None:
        super().doStart()
        self.websocket.doStart()
        self.web.doStart()

    def doStop(self) -> None:
        self.websocket.doStop()
        self.web.doStop()
        super().doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        door = FrontDoor()
        door.factory = self
        return door
