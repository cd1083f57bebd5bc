"""A plain WebSocket client, Autobahn's own, that writes down what it is told."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred

from tests.signing import APP, channel_auth

Message = dict[str, Any]


class Visitor(WebSocketClientProtocol):
    """Subscribes, whispers and listens; knows nothing of pusher-js's habits.

    In memory its ``messages`` are looked at when the turn is over; over loopback they are
    waited for, with the deadline of the test case.
    """

    #: False: a ping is not answered, and neither is a close frame.
    is_alive = True

    def __init__(self) -> None:
        super().__init__()
        self.messages: deque[Message] = deque()
        self.pings = 0
        #: Code and reason of the server's close frame.
        self.farewell: tuple[int | None, str | None] | None = None
        self.gone: Deferred[None] = Deferred()
        self._waiting: Deferred[None] | None = None

    # -- Autobahn's callbacks --------------------------------------------------------------

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        assert not isBinary
        self.messages.append(json.loads(payload))
        self._tell()

    def onPing(self, payload: bytes) -> None:
        self.pings += 1
        if self.is_alive:
            super().onPing(payload)

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> Any:
        self.farewell = code, reasonRaw.decode() if reasonRaw else ""
        if self.is_alive:
            return super().onCloseFrame(code, reasonRaw)
        return None

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.gone.callback(None)
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    # -- saying ----------------------------------------------------------------------------

    def say(self, event: str, **rest: Any) -> None:
        self.sendMessage(json.dumps({"event": event, **rest}).encode())

    def subscribe(self, channel: str, channel_data: str | None = None) -> None:
        data: Message = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            data["auth"] = channel_auth(self.socket_id, channel, channel_data)
        if channel_data is not None:
            data["channel_data"] = channel_data
        self.say("pusher:subscribe", data=data)

    def leave(self, channel: str) -> None:
        self.say("pusher:unsubscribe", data={"channel": channel})

    def whisper(self, channel: str, data: Any, event: str = "client-told") -> None:
        self.say(event, channel=channel, data=data)

    @property
    def local_port(self) -> int:
        port = self.transport.getHost().port
        assert isinstance(port, int)
        return port

    # -- listening -------------------------------------------------------------------------

    socket_id: str

    def take(self) -> list[Message]:
        """All messages that have come; they are forgotten."""
        taken = list(self.messages)
        self.messages.clear()
        return taken

    async def next(self) -> Message:
        """The next message, waited for if need be; AssertionError when the server closes."""
        while not self.messages:
            assert not self.gone.called, f"closed while a message was expected: {self.farewell}"
            self._waiting = Deferred()
            await self._waiting
        return self.messages.popleft()

    async def expect(self, event: str) -> Message:
        """The next message, which has to be ``event``."""
        message = await self.next()
        assert message["event"] == event, message
        return message

    async def welcome(self) -> str:
        """The socket id out of ``pusher:connection_established``."""
        established = await self.expect("pusher:connection_established")
        self.socket_id = json.loads(established["data"])["socket_id"]
        return self.socket_id

    async def joined(self, channel: str, channel_data: str | None = None) -> Message:
        """Subscribe and wait for the success."""
        self.subscribe(channel, channel_data)
        succeeded = await self.expect("pusher_internal:subscription_succeeded")
        assert succeeded["channel"] == channel
        return succeeded

    async def closed(self) -> tuple[int | None, str | None] | None:
        """Code and reason of the server's close frame, once the connection is gone."""
        if not self.gone.called:
            await self.gone
        return self.farewell


def visitors(reactor: Any, path: str = f"/app/{APP.key}?protocol=7", **options: Any) -> Any:
    """A factory of visitors to ``path``."""
    factory = WebSocketClientFactory(f"ws://127.0.0.1:6001{path}", reactor=reactor, **options)
    factory.protocol = Visitor
    factory.noisy = False
    factory.setProtocolOptions(serverConnectionDropTimeout=0, openHandshakeTimeout=0)
    return factory
