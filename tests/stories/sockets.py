"""Many WebSocket clients in one process: plain sockets that do not block, and one epoll."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from tests.memory import handshake
from tests.signing import channel_auth
from tests.websocket.frames import CLOSE, PING, PONG, TEXT, close_frame, frame, say

#: Seconds within which anything has to happen that is waited for, on a machine with much to do.
DEADLINE = 60.0
#: SO_LINGER: a close sends a reset, and nothing that still waits.
RESET = struct.pack("ii", 1, 0)

Message = dict[str, Any]


class Client:
    """One client. What it is sent is read when its crowd looks, as long as ``is_reading``."""

    def __init__(self, crowd: Crowd, receive_buffer: int | None) -> None:
        self._crowd = crowd
        self._socket = socket.socket()
        if receive_buffer is not None:  # before connecting, or the window is greater
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(DEADLINE)
        self._socket.connect(("127.0.0.1", crowd.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._arrived = b""
        self._has_shaken_hands = False
        #: The payloads of text frames, in the order in which they came.
        self.messages: deque[bytes] = deque()
        self.close_code: int | None = None
        self.is_open = True
        self.socket_id = ""
        self.send(handshake())

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    # -- listening -------------------------------------------------------------------------

    def look(self) -> None:
        """Take what has arrived."""
        try:
            data = self._socket.recv(1 << 18, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self._forget()
            return
        self._arrived += data
        if not self._has_shaken_hands:
            head, end, rest = self._arrived.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101 "), head
            self._has_shaken_hands, self._arrived = True, rest
        for opcode, payload in self._frames():
            if opcode == TEXT:
                self.messages.append(payload)
            elif opcode == CLOSE:
                self.close_code = int.from_bytes(payload[:2], "big")
            elif opcode == PING:
                self.send(frame(payload, PONG))

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """The whole frames that are here."""
        data, at = self._arrived, 0
        while len(data) >= at + 2:
            length, head = data[at + 1], 2
            if length == 126:
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            assert length < 65536
            end = at + head + length
            if len(data) < end:
                break
            yield data[at] & 0x0F, data[at + head : end]
            at = end
        self._arrived = data[at:]

    def next(self, event: str) -> Message:
        """The next message, which has to be that; waited for."""
        self._crowd.look_until(lambda: bool(self.messages))
        message: Message = json.loads(self.messages.popleft())
        assert message["event"] == event, message
        return message

    def welcome(self) -> None:
        established = self.next("pusher:connection_established")
        self.socket_id = json.loads(established["data"])["socket_id"]

    # -- saying ----------------------------------------------------------------------------

    def subscribe(self, channel: str, user_id: str | None = None) -> None:
        """Ask for it, signed if need be; as that user, where there are users."""
        data: Message = {"channel": channel}
        if user_id is not None:
            data["channel_data"] = json.dumps({"user_id": user_id})
        if channel.startswith(("private-", "presence-")):
            data["auth"] = channel_auth(self.socket_id, channel, data.get("channel_data"))
        self.send(say("pusher:subscribe", data=data))

    # -- going -----------------------------------------------------------------------------

    def say_goodbye(self) -> None:
        """Go with a closing handshake."""
        self.send(close_frame(1000))
        self._crowd.look_until(lambda: not self.is_open)

    def hang_up(self) -> None:
        """Go without a word: the server sees the end of the stream."""
        self._forget()

    def reset(self) -> None:
        """Go without a word: the server sees a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._forget()

    def _forget(self) -> None:
        if self.is_open:
            self.is_open = False
            self._crowd.forget(self)
            self._socket.close()


class Crowd:
    """Clients of the server at a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._epoll = select.epoll()
        #: Whoever is looked at, by descriptor.
        self._clients: dict[int, Client] = {}
        self._present: set[Client] = set()

    def client(self, *, receive_buffer: int | None = None) -> Client:
        """A client that has been welcomed. ``receive_buffer``: bytes that the system keeps."""
        client = Client(self, receive_buffer)
        self._present.add(client)
        self.read(client)
        client.welcome()
        return client

    def read(self, client: Client) -> None:
        """Look at what this client is sent, from now on."""
        self._clients[client.fileno()] = client
        self._epoll.register(client.fileno(), select.EPOLLIN)

    def stop_reading(self, client: Client) -> None:
        self._epoll.unregister(client.fileno())
        del self._clients[client.fileno()]

    def forget(self, client: Client) -> None:
        self._present.discard(client)
        if self._clients.get(client.fileno()) is client:
            self.stop_reading(client)

    def look_until(self, is_done: Callable[[], bool]) -> None:
        """Let everybody read until that is so. Raises ``AssertionError`` after the deadline."""
        latest = time.monotonic() + DEADLINE
        while not is_done():
            assert time.monotonic() < latest, "waited too long"
            for descriptor, _ in self._epoll.poll(0.1):
                client = self._clients.get(descriptor)
                if client is not None:
                    client.look()

    def close(self) -> None:
        for client in list(self._present):
            client.reset()
        self._epoll.close()
