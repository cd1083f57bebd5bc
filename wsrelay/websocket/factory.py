"""Autobahn's options, all in one place, and what every connection is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, unquote_plus

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, ITransport

from ..core.notices import Tally
from ..core.ports import Door
from ..edge.trust import Trusted, name_of_peer
from ..pusher.admission import Hello
from ..pusher.session import Session
from . import echo
from .deflate import DeflatingOutbox, agreed
from .echo import EchoSession
from .outbox import Outbox, Turn
from .protocol import RelayProtocol
from .sweep import Sweep

NewSession = Callable[[Door, str], Session]


def new_socket_id() -> str:
    """Two random numbers and a dot: backend libraries refuse any other form.

    Half of what clients sign, so it must be unpredictable and never come twice.
    """
    first, second = divmod(int.from_bytes(next(_chances)) % 10**20, 10**10)
    return f"{first}.{second}"


def _random_pieces() -> Iterator[bytes]:
    """16 random bytes each; the system is asked once for many, which takes it no longer."""
    while True:
        pool = os.urandom(4096)
        for start in range(0, len(pool), 16):
            yield pool[start : start + 16]


_chances = _random_pieces()


class RelayFactory(WebSocketServerFactory):
    """Builds a connection's protocol, outbox and session."""

    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        new_session: NewSession,
        tally: Tally,
        *,
        path_prefix: str = "",
        echo_path: str = "",
        deflate: bool = False,
        trusted: Trusted | None = None,
        max_message_bytes: int,
        max_waiting_bytes: int,
        close_timeout: float,
    ) -> None:
        super().__init__(reactor=reactor)
        self.new_session = new_session
        #: The proxies that may say whom they speak for, ``None`` when there are none.
        self.trusted = trusted or None
        self.sweep = Sweep(reactor)
        self._tally = tally
        self._turn = Turn(lambda call: reactor.callLater(0, call))
        self._app_path = f"{path_prefix}/app/"
        self._echo_path = f"{path_prefix}{echo_path}" if echo_path else None
        self._max_waiting_bytes = max_waiting_bytes
        # Once, and naming allowNullOrigin: every call that does not name it sets it to False
        # (Autobahn 26.10.2). Which origins may connect is each app's to say.
        self.setProtocolOptions(
            allowNullOrigin=True,
            # A violation is answered with a close frame, and what was sent before arrives.
            failByDrop=False,
            webStatus=False,
            maxMessagePayloadSize=max_message_bytes,
            maxFramePayloadSize=max_message_bytes,
            closeHandshakeTimeout=close_timeout,
            # The front door has read the whole request before a protocol is built.
            openHandshakeTimeout=0,
            perMessageCompressionAccept=agreed if deflate else None,
        )
        self.server = None
        #: Whether permessage-deflate may be agreed upon: then such handshakes are Autobahn's.
        self.takes_extensions = deflate
        # Autobahn (26.10.2) copies some forty options into each protocol, 3 KB a connection,
        # and formats them for a debug line that nobody reads, a third of the time a handshake
        # takes. As attributes of a class they are there already.
        options = {name: getattr(self, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}
        # A plain function would become a method, and be called with one argument too many.
        options["perMessageCompressionAccept"] = staticmethod(self.perMessageCompressionAccept)
        options["tally"] = tally
        self.protocol: Any = type("RelayProtocol", (RelayProtocol,), options)

    @property
    def unwritten(self) -> int:
        """How many connections have something to be written in this turn of the reactor."""
        return len(self._turn)

    def limit(self, max_message_bytes: int, max_waiting_bytes: int) -> None:
        """Other limits: of messages for every connection at once, of what waits for new ones."""
        self.protocol.maxMessagePayloadSize = max_message_bytes
        self.protocol.maxFramePayloadSize = max_message_bytes
        self._max_waiting_bytes = max_waiting_bytes

    def when_empty(self, most_seconds: float) -> Deferred[None]:
        """Fires when the last connection is gone, or after ``most_seconds`` without them."""
        return self.sweep.when_empty(most_seconds)

    def outbox(
        self,
        transport: ITransport,
        close: Callable[[int, str], None],
        *,
        most_bytes: int | None = None,
        window: int | None = None,
    ) -> Outbox:
        """An outbox; with ``window``, of a client that agreed on compression."""
        rest = (
            new_socket_id(),
            self._turn,
            transport,
            most_bytes or self._max_waiting_bytes,
            self._tally,
            close,
        )
        return Outbox(*rest) if window is None else DeflatingOutbox(window, *rest)

    def session(self, hello: Hello, door: Door, peer: str) -> Session | EchoSession:
        """The other side of the conversation that begins with this hello."""
        return EchoSession(door) if hello is echo.HELLO else self.new_session(door, peer)

    def hello(self, target: str, origin: str) -> Hello | None:
        """What the client shows; ``None`` when nobody lives at that path.

        ``target`` is the path and query of the request, as they came.
        """
        path, _, query = target.partition("?")
        if not path.startswith(self._app_path):
            return echo.HELLO if path == self._echo_path else None
        parameters: dict[str, str] = {}
        for piece in query.split("&"):
            name, _, value = piece.partition("=")
            parameters.setdefault(name, unquote_plus(value))
        client = f"{parameters.get('client') or '-'} {parameters.get('version') or '-'}"
        return Hello(
            key=unquote(path[len(self._app_path) :]),
            protocol=parameters.get("protocol") or None,
            origin=origin,
            client=_printable(client[:64]),
        )

    def name_peer(self, transport: ITransport) -> str:
        """The client's address for the log: ``192.0.2.7:50412``."""
        return name_of_peer(transport.getPeer())


def _printable(text: str) -> str:
    """For the log: nothing in it may look like another line, or move a terminal's cursor."""
    return text if text.isprintable() else repr(text)
