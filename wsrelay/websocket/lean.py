"""Autobahn's protocol without what each of its instances costs.

Autobahn (26.10.2) gives every connection some ninety attributes, of which a healthy connection
changes four. Here they are attributes of the class, and what must be each connection's own is made
when it is first needed: a fragmented message, a close. The names and first values are Autobahn's
(``WebSocketProtocol._connectionMade``); the tests hold the two together.

It also formats debug lines that nobody reads, four of them when a connection ends: a tenth of what
a short connection costs.
"""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure


class LeanProtocol(WebSocketServerProtocol):
    """One WebSocket connection of a server, with all options set on its class."""

    #: All are attributes of the class already, so none is copied to an instance.
    CONFIG_ATTRS: list[str] = []

    websocket_version = 13
    websocket_protocol_in_use: str | None = None
    _perMessageCompress: Any = None
    trackedTimings: Any = None
    #: One for all: nobody reads it.
    trafficStats = TrafficStats()
    send_state = WebSocketServerProtocol.SEND_STATE_GROUND
    #: Always empty: writes are never chopped.
    send_queue: deque[Any] = deque()
    triggered = False
    inside_message = False
    current_frame: Any = None
    wasMaxFramePayloadSizeExceeded = False
    wasMaxMessagePayloadSizeExceeded = False
    closedByMe = False
    failedByMe = False
    droppedByMe = False
    wasClean = False
    wasNotCleanReason: Any = None
    wasServerConnectionDropTimeout = False
    wasOpenHandshakeTimeout = False
    wasCloseHandshakeTimeout = False
    wasServingFlashSocketPolicyFile = False
    localCloseCode: Any = None
    localCloseReason: Any = None
    remoteCloseCode: Any = None
    remoteCloseReason: Any = None
    openHandshakeTimeoutCall: Any = None
    closeHandshakeTimeoutCall: Any = None
    autoPingTimeoutCall: Any = None
    autoPingPending: Any = None
    autoPingPendingCall: Any = None
    autoPingPendingSeq = 0
    autoPingPendingSent: Any = None

    def __init__(self) -> None:
        """Nothing: what Autobahn makes here is made below, when it is asked for."""

    @cached_property
    def is_open(self) -> Any:
        return Deferred()

    @cached_property
    def is_closed(self) -> Any:
        return Deferred()

    @cached_property
    def utf8validator(self) -> Any:  # type: ignore[override]
        return Utf8Validator()

    def _connectionMade(self) -> None:
        self.state = self.STATE_CONNECTING
        self.data = b""
        self.factory.countConnections += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # What Autobahn's own does for a server without its pings and timeouts of the handshake.
        self.state = self.STATE_CLOSED
        self.factory.countConnections -= 1
        self.__dict__.pop("is_closed", None)  # its result is this protocol, a cycle
        if self.wasClean:
            self.onClose(True, self.remoteCloseCode, self.remoteCloseReason)
            return
        why = self.wasNotCleanReason
        if why is None:
            is_silent = isinstance(reason.value, ConnectionDone)
            why = "no close frame" if is_silent else reason.getErrorMessage()
        self.onClose(False, self.CLOSE_STATUS_CODE_ABNORMAL_CLOSE, why)
