"""Many real connections that come back as pusher-js does, and backends that publish meanwhile.

Every client writes down when it was closed, with which code, and when it was welcomed again.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.signing import APP, channel_auth, event, signed_target
from tests.websocket.frames import CLOSE, PING, PONG, frame

#: Seconds after which pusher-js tries again when it was refused.
WHEN_REFUSED = 15.0
#: The same for codes 4100 to 4199.
WHEN_TOLD_TO_WAIT = 1.0

SUCCESS = "http/1.1 200 ok"
#: Channels that backends publish to.
LOBBIES = 20

HANDSHAKE = (
    f"GET /app/{APP.key}?protocol=7&client=crowd HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()


@dataclass
class Record:
    """What happened to a crowd. Seconds are of ``time.monotonic``."""

    #: One for each time that a client was closed: when, with which code.
    closed: list[tuple[float, int]] = field(default_factory=list)
    #: How long each of those took to be welcomed again.
    away: list[float] = field(default_factory=list)
    refused: int = 0
    #: Connections that ended without a close frame.
    dropped: int = 0
    delivered: int = 0
    published: Counter[str] = field(default_factory=Counter)

    @property
    def codes(self) -> Counter[int]:
        return Counter(code for _, code in self.closed)


class Client(asyncio.Protocol):
    """One connection; the crowd makes another one when it is over."""

    transport: asyncio.Transport

    def __init__(self, crowd: Crowd, number: int, gone_since: float | None) -> None:
        self._crowd = crowd
        self._number = number
        self._gone_since = gone_since
        self._received = b""
        self._is_upgraded = False
        self._is_closed = False
        self._whispering: asyncio.TimerHandle | None = None
        self._room = f"private-room-{number // 6}"
        self._lobby = f"lobby-{number % LOBBIES}"

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._is_upgraded:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._is_upgraded, self._received = True, rest
        while len(self._received) >= 2:
            opcode, length, start = self._received[0] & 15, self._received[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(self._received[2:4], "big"), 4
            if len(self._received) < start + length:
                return
            payload = self._received[start : start + length]
            self._received = self._received[start + length :]
            self._hear(opcode, payload)

    def _hear(self, opcode: int, payload: bytes) -> None:
        record = self._crowd.record
        if opcode == CLOSE:
            self._is_closed = True
            code = int.from_bytes(payload[:2], "big")
            since = self._gone_since
            if since is None:
                since = time.monotonic()
                record.closed.append((since, code))
            self._stop_whispering()
            self.transport.write(frame(payload, CLOSE))
            self.transport.close()
            self._crowd.again(self._number, since, 0.0 if code >= 4200 else WHEN_TOLD_TO_WAIT)
        elif opcode == PING:
            self.transport.write(frame(payload, PONG))
        elif payload.startswith(b'{"event":"pusher:connection_established"'):
            told = json.loads(json.loads(payload)["data"])
            if self._gone_since is not None:
                record.away.append(time.monotonic() - self._gone_since)
                self._gone_since = None
            self._crowd.welcomed(self._number)
            self._subscribe(told["socket_id"])
        else:
            record.delivered += b'"news"' in payload or b"client-moved" in payload

    def _subscribe(self, socket_id: str) -> None:
        for data in (
            {"channel": self._lobby},
            {"channel": self._room, "auth": channel_auth(socket_id, self._room)},
        ):
            message = json.dumps({"event": "pusher:subscribe", "data": data})
            self.transport.write(frame(message.encode()))
        if self._number % 10 == 0:
            self._whisper()

    def _whisper(self) -> None:
        message = {"event": "client-moved", "channel": self._room, "data": {"x": 1}}
        self.transport.write(frame(json.dumps(message).encode()))
        self._whispering = asyncio.get_running_loop().call_later(
            random.uniform(0.2, 0.6), self._whisper
        )

    def _stop_whispering(self) -> None:
        if self._whispering is not None:
            self._whispering.cancel()

    def connection_lost(self, error: object) -> None:
        self._stop_whispering()
        if not self._is_closed and not self._crowd.is_over:
            self._crowd.record.dropped += 1
            self._crowd.again(self._number, time.monotonic(), 0.0)


class Crowd:
    """So many clients at one port, and backends that publish there."""

    def __init__(self, port: int, many: int) -> None:
        self.record = Record()
        self.is_over = False
        self._port = port
        self._many = many
        self._present: set[int] = set()
        self._all_here = asyncio.Event()
        self._clients: dict[int, Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def come(self, deadline: float) -> None:
        """All clients are welcomed."""
        for number in range(self._many):
            self.again(number, None, number / 2000)
        await asyncio.wait_for(self._all_here.wait(), deadline)

    async def all_back(self, closed: int, deadline: float) -> None:
        """So many have been closed, and everybody has been welcomed again."""
        ends = time.monotonic() + deadline
        while len(self.record.closed) < closed or len(self._present) < self._many:
            assert time.monotonic() < ends, (
                f"{len(self.record.closed)} of {closed} were closed, "
                f"{len(self._present)} of {self._many} are there; {self.record.published}; "
                f"{self.record.refused} were refused"
            )
            await asyncio.sleep(0.01)

    def again(self, number: int, gone_since: float | None, pause: float) -> None:
        self._present.discard(number)
        if not self.is_over:
            self._do(self._connect(number, gone_since, pause))

    def _do(self, what: Any) -> None:
        task = asyncio.get_running_loop().create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, number: int, gone_since: float | None, pause: float) -> None:
        if pause:
            await asyncio.sleep(pause)
        loop = asyncio.get_running_loop()
        try:
            _, client = await loop.create_connection(
                lambda: Client(self, number, gone_since), "127.0.0.1", self._port
            )
        except OSError:
            self.record.refused += 1
            self.again(number, gone_since, WHEN_REFUSED)
            return
        self._clients[number] = client

    def welcomed(self, number: int) -> None:
        self._present.add(number)
        if len(self._present) == self._many:
            self._all_here.set()

    # -- backends --------------------------------------------------------------------------

    def publish(self, *, backends: int, pause: float) -> None:
        """Let so many backends publish, half of them over kept connections, until it is over."""
        for number in range(backends):
            self._do(self._publish_again_and_again(number, pause))

    async def published(self, many: int) -> None:
        """So many more publishes have succeeded."""
        wanted = self.record.published[SUCCESS] + many
        while self.record.published[SUCCESS] < wanted:
            await asyncio.sleep(0.01)

    async def _publish_again_and_again(self, number: int, pause: float) -> None:
        keeps = number % 2 == 0
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        body = event(f"lobby-{number % LOBBIES}", '"news"')
        target = signed_target("POST", f"/apps/{APP.id}/events", body)
        head = f"POST {target} HTTP/1.1\r\nHost: relay\r\nContent-Length: {len(body)}\r\n\r\n"
        while not self.is_over:
            try:
                if connection is None or connection[0].at_eof():
                    if connection is not None:
                        connection[1].close()
                    connection = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = connection
                writer.write(head.encode() + body)
                answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(2)
                self.record.published[answer.split("\r\n")[0]] += 1
                if not keeps or "connection: close" in answer:
                    self.record.published["last of its connection"] += "connection: close" in answer
                    writer.close()
                    connection = None
            except (OSError, asyncio.IncompleteReadError) as error:
                self.record.published[f"failed: {error!r}"] += 1
                connection = None
            await asyncio.sleep(pause)
        if connection is not None:
            connection[1].close()

    async def go(self) -> None:
        """Everybody goes."""
        self.is_over = True
        for client in self._clients.values():
            client.transport.abort()
        while self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.sleep(0)


def failures(record: Record) -> dict[str, int]:
    """The publishes that did not succeed."""
    good = (SUCCESS, "last of its connection")
    return {said: many for said, many in record.published.items() if said not in good}


def spread(record: Record) -> float:
    """Seconds between the first that was closed and the last."""
    moments: Sequence[float] = [moment for moment, _ in record.closed]
    return max(moments) - min(moments)
