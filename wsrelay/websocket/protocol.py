"""One WebSocket connection: Autobahn's protocol with a fast path in and one road out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.logger import Logger

from ..core.errors import Code
from ..core.notices import Tally
from ..edge.trust import forwarded_for
from ..pusher.admission import Hello
from ..pusher.keepalive import Pulse
from ..pusher.session import Session
from . import echo
from .deflate import Extension, acceptable
from .echo import EchoSession
from .handshake import response, take_handshake
from .lean import LeanProtocol
from .outbox import Outbox
from .wire import take_text

if TYPE_CHECKING:
    from .factory import RelayFactory

_log = Logger()  # not `log`: Autobahn claims that name (26.10.2)

#: What Autobahn keeps of a handshake, half a kilobyte to two: of no use once it is over.
_LEFTOVERS = (
    "_wskey",
    "http_headers",
    "http_request_data",
    "http_request_host",
    "http_request_params",
    "http_request_path",
    "http_request_uri",
    "http_response_data",
    "http_status_line",
    "is_open",
    "websocket_extensions",
    "websocket_extensions_in_use",
    "websocket_origin",
    "websocket_protocols",
)


class RelayProtocol(LeanProtocol):
    """Bytes to text and text to bytes; what the text means is the session's to say.

    Names that Autobahn owns on a protocol are left alone: ``log``, ``state``, ``peer``,
    ``data``, ``transport``, and ``factory.server``.
    """

    factory: RelayFactory
    tally: Tally
    transport: Any
    http_request_uri: str
    maxFramePayloadSize: int
    maxMessagePayloadSize: int
    websocket_extensions: list[Extension]
    _isMessageCompressed: bool
    peer: str
    pulse: Pulse
    _outbox: Outbox
    _session: Session | EchoSession
    _hello: Hello
    #: What is done with a text message. Set when the connection opens.
    _receive: Callable[[bytes], None]

    # -- coming and going --------------------------------------------------------------

    def connectionMade(self) -> None:
        # Autobahn's own (26.10.2) collects transport details that nobody here reads, and
        # sets TCP_NODELAY before the option is there to be read; the transport does that.
        self.peer = self.factory.name_peer(self.transport)
        self.pulse = Pulse()
        self._outbox = self.factory.outbox(self.transport, self.close)
        self._connectionMade()

    def onConnect(self, request: ConnectionRequest) -> str | None:
        hello = self.factory.hello(self.http_request_uri, request.origin or "")
        if hello is None:
            raise ConnectionDeny(ConnectionDeny.NOT_FOUND, "WebSockets are served at /app/{key}")
        self._hello = hello
        if self.factory.trusted is not None:
            told = request.headers.get("x-forwarded-for", "")  # joined by commas
            self.peer = self.factory.trusted.client(self.peer, told)
        self.websocket_extensions = (
            acceptable(self.websocket_extensions) if self.factory.takes_extensions else []
        )
        # A browser that asked for a subprotocol and gets none closes the connection.
        return request.protocols[0] if request.protocols else None

    def _onOpen(self) -> None:
        # Autobahn's own asks TLS for channel ids first, which nobody here reads, and calls this
        # where a failure is lost (26.10.2).
        with _log.failureHandler("a connection could not be opened"):
            self.onOpen()

    def _shake_hands(self, data: bytes) -> bytes | None:
        """Take the common handshake; return what came behind it, ``None`` if it is not common."""
        taken = take_handshake(data, takes_extensions=self.factory.takes_extensions)
        hello = self.factory.hello(taken[0].target, taken[0].origin) if taken is not None else None
        if taken is None or hello is None:
            return None
        handshake, end = taken
        self._hello = hello
        if self.factory.trusted is not None:
            self.peer = self.factory.trusted.client(self.peer, forwarded_for(data[:end]))
        self.sendData(response(handshake.key))
        self.state = self.STATE_OPEN
        self._onOpen()
        return data[end:]

    def onOpen(self) -> None:
        for name in _LEFTOVERS:
            self.__dict__.pop(name, None)
        if self._perMessageCompress is not None or self._hello is echo.HELLO:
            self._exchange_outbox()
        self.transport.registerProducer(self._outbox, True)
        self.factory.sweep.add(self)
        self._session = self.factory.session(self._hello, self._outbox, self.peer)
        self._receive = self._session.receive
        self._session.open(self._hello)
        del self._hello

    def _exchange_outbox(self) -> None:
        """For one that fits what is known of the client by now."""
        self._outbox.flush()  # the answer to the handshake
        most_bytes = window = None
        if self._hello is echo.HELLO:
            most_bytes = echo.MOST_WAITING
            self.maxMessagePayloadSize = self.maxFramePayloadSize = echo.LONGEST
        if self._perMessageCompress is not None:
            window = self._perMessageCompress.server_max_window_bits
        self._outbox = self.factory.outbox(
            self.transport, self.close, most_bytes=most_bytes, window=window
        )

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        session = self.__dict__.pop("_session", None)
        if session is not None:
            self._receive = _ignore
            if self.closedByMe and not wasClean:
                # Autobahn (26.10.2) says 1006, and that a close frame was not answered: but why
                # it was sent is what an operator wants to know.
                code, reason = self.localCloseCode, (self.localCloseReason or b"").decode()
            session.lost(code or 1005, reason or "")
        else:
            self.tally.handshakes_failed += 1
        self._outbox.drop()
        self.factory.sweep.discard(self)  # last: whoever waits for the last one may end it all

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; the client has ``closeHandshakeTimeout`` to answer."""
        if self.state == self.STATE_OPEN:
            self.sendClose(int(code), reason)  # an IntEnum is no int to it (26.10.2)

    # -- in ----------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        self.pulse.heard = True
        self.tally.bytes_in += len(data)
        if self.state == self.STATE_CONNECTING and not self.data:
            rest = self._shake_hands(data)
            if rest == b"":
                return
            data = data if rest is None else rest
        if (
            self.state == self.STATE_OPEN
            and not self.data
            and self.current_frame is None
            and not self.inside_message
        ):
            start = 0
            longest = self.maxMessagePayloadSize
            while taken := take_text(data, start, longest):
                text, start = taken
                self._receive(text)
                if start == len(data):
                    return
                if self.state != self.STATE_OPEN:
                    break
            if start:
                data = data[start:]
        if self.state == self.STATE_CLOSED:  # where Autobahn (26.10.2) would pile it up
            return
        self._dataReceived(data)

    # In two ways Autobahn (26.10.2) piles up what comes after a violation: it gathers the ping
    # whose length is the violation, and it stays in a frame that cannot be inflated.

    def onFrameData(self, payload: bytes) -> None:
        frame = self.current_frame
        is_control = frame.opcode > 7
        if self.failedByMe and (frame.length > 125 if is_control else self._isMessageCompressed):
            return
        super().onFrameData(payload)

    def onFrameEnd(self) -> None:
        if super().onFrameEnd() is False:
            self.inside_message = False
            self.current_frame = None

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message that came by Autobahn's road: fragmented, compressed, or in pieces."""
        if self._perMessageCompress is not None:
            # The context is not taken over, but Autobahn (26.10.2) keeps it, 40 KB a connection.
            self._perMessageCompress._decompressor = None
        if not isBinary:
            self._receive(payload)
        elif isinstance(self._session, EchoSession):
            self._session.receive_binary(payload)
        else:
            self._session.refuse_binary()

    # -- out ---------------------------------------------------------------------------

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Autobahn's frames take the same road as ours, so that they keep their order."""
        self._outbox.send_wire(data)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        super().sendCloseFrame(code, reasonUtf8, isReply)
        if self.state == self.STATE_CLOSING:
            self._outbox.seal()

    def _closeConnection(self, abort: bool = False) -> None:
        # Autobahn (26.10.2) resets the connection even after a whole closing handshake; pusher-js
        # takes a reset soon after opening for the death of the transport.
        super()._closeConnection(abort and not self.wasClean)

    def unregisterProducer(self) -> None:
        # Called by Autobahn before it drops the connection: the last moment to write.
        self._outbox.flush()
        self.transport.unregisterProducer()

    # -- silence -----------------------------------------------------------------------

    def ping(self) -> None:
        self.sendPing()

    def give_up(self) -> None:
        self._session.close(Code.NO_PONG, "nothing was heard for 90 seconds, not even a pong")

    def send_away(self, code: Code, reason: str) -> None:
        """Close for a reason of our own; who has gone meanwhile is left alone."""
        session = self.__dict__.get("_session")
        if session is not None:
            session.close(code, reason)


def _ignore(payload: bytes) -> None:
    """Messages that were read in the same turn in which the connection closed."""
