"""wsrelay.transport on real sockets: every byte, in order, however slowly it is read."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.loopback import reactor
from wsrelay.listening import listen, tcp_endpoint
from wsrelay.transport import MOST_UNSENT, wave_on

MEGABYTE = 1 << 20


class Host(Protocol):
    """Writes down what happens to it; a test says what it does."""

    transport: Any
    factory: Any

    def connectionMade(self) -> None:
        self.heard = b""
        self.lost: Deferred[object] = Deferred()
        self.factory.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if data == b"fail":
            raise RuntimeError("a fault of ours")

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(reason.value)


class Producer:
    """Counts how often it is told to pause and to go on."""

    def __init__(self) -> None:
        self.pauses = 0
        self.resumes = 0

    def pauseProducing(self) -> None:
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.resumes += 1

    def stopProducing(self) -> None:
        pass


class Transports:
    """The cases; with a wave and without one the transports behave alike."""

    timeout = 10
    has_wave = True

    def setUp(self: Any) -> None:
        self.factory: Any = Factory.forProtocol(Host)
        self.factory.noisy = False
        self.factory.made = []
        self.wave = wave_on(reactor) if self.has_wave else None
        [port] = listen(reactor, [tcp_endpoint("127.0.0.1", 0)], self.factory, self.wave)
        self.address = ("127.0.0.1", port.getHost().port)
        if self.wave is not None:
            self.addCleanup(self.wave.close)
        self.addCleanup(self.everybody_goes)
        self.addCleanup(port.stopListening)

    async def everybody_goes(self: Any) -> None:
        for host in self.factory.made:
            if not host.lost.called:
                host.transport.abortConnection()
                await host.lost

    async def connected(self: Any) -> tuple[socket.socket, Host]:
        """A client's plain socket, and the server's protocol."""
        already = len(self.factory.made)
        client = socket.create_connection(self.address)
        client.setblocking(False)
        self.addCleanup(client.close)
        while len(self.factory.made) == already:
            await self.a_turn()
        return client, self.factory.made[-1]

    async def a_turn(self: Any) -> None:
        await deferLater(reactor, 0.001)

    async def received(self: Any, client: socket.socket, many: int) -> bytes:
        """So many bytes, read as they come."""
        data = bytearray()
        while len(data) < many:
            try:
                piece = client.recv(many - len(data))
            except BlockingIOError:
                await self.a_turn()
                continue
            assert piece, f"closed after {len(data)} bytes"
            data += piece
        return bytes(data)

    async def heard(self: Any, host: Host, data: bytes) -> None:
        while len(host.heard) < len(data):
            await self.a_turn()
        assert host.heard == data

    async def test_small_writes_are_not_held_back(self: Any) -> None:
        _, host = await self.connected()
        assert host.transport.getTcpNoDelay()

    async def test_what_is_written_is_there_before_the_reactor_has_its_turn(self: Any) -> None:
        client, host = await self.connected()
        host.transport.write(b"at once")
        assert client.recv(100) == b"at once"
        host.transport.writeSequence([b"in ", b"pieces"])
        assert client.recv(100) == b"in pieces"

    async def test_a_great_deal_arrives_whole_and_in_order(self: Any) -> None:
        client, host = await self.connected()
        pieces = [bytes([number % 256]) * (MEGABYTE // 4) for number in range(64)]
        for piece in pieces:
            host.transport.write(piece)
            host.transport.writeSequence([b"|", b"|"])
        assert await self.received(client, sum(map(len, pieces)) + 128) == b"||".join(
            [*pieces, b""]
        )

    async def test_what_is_written_while_something_waits_stays_behind_it(self: Any) -> None:
        client, host = await self.connected()
        expected = received = b""
        for number in range(8):
            piece = bytes([number]) * (8 * MEGABYTE) + b"|"
            host.transport.write(piece)
            expected += piece
            await self.a_turn()  # the reactor writes what it can
            received += await self.received(client, 4 * MEGABYTE)  # and there is room again
            host.transport.write(b"small|")
            expected += b"small|"
        received += await self.received(client, len(expected) - len(received))
        assert received == expected

    async def test_a_full_transport_tells_its_producer_and_tells_it_again_when_it_is_read(
        self: Any,
    ) -> None:
        client, host = await self.connected()
        producer = Producer()
        host.transport.registerProducer(producer, True)
        written = 0
        while not producer.pauses:
            host.transport.write(b"x" * MEGABYTE)
            written += MEGABYTE
        assert producer.resumes == 0
        await self.received(client, written)
        while not producer.resumes:
            await self.a_turn()
        host.transport.unregisterProducer()

    async def test_who_does_not_read_fills_the_relay_soon_and_not_the_kernel(self: Any) -> None:
        client, host = await self.connected()
        room = client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        producer = Producer()
        host.transport.registerProducer(producer, True)
        written = 0
        while not producer.pauses:
            host.transport.write(b"x" * 1024)
            written += 1024
        # What has been sent waits at the client's; the kernel takes whole segments of 64 KB.
        assert written < room + MOST_UNSENT + 2 * 64 * 1024
        host.transport.unregisterProducer()

    async def test_everything_is_written_before_the_connection_closes(self: Any) -> None:
        client, host = await self.connected()
        host.transport.write(b"x" * (16 * MEGABYTE))
        host.transport.loseConnection()
        assert len(await self.received(client, 16 * MEGABYTE)) == 16 * MEGABYTE
        await host.lost
        while True:
            try:
                assert client.recv(1) == b""
                break
            except BlockingIOError:
                await self.a_turn()

    async def test_what_is_sent_is_heard_in_order_from_many_at_once(self: Any) -> None:
        connections = [await self.connected() for _ in range(50)]
        for number, (client, _) in enumerate(connections):
            client.send(b"%d first " % number)
        for number, (client, _) in enumerate(connections):
            client.send(b"%d second" % number)
        for number, (_, host) in enumerate(connections):
            await self.heard(host, b"%d first %d second" % (number, number))

    async def test_nothing_is_heard_while_reading_is_paused(self: Any) -> None:
        client, host = await self.connected()
        host.transport.pauseProducing()
        client.send(b"patience")
        for _ in range(5):
            await self.a_turn()
        assert host.heard == b""
        host.transport.pauseProducing()
        host.transport.resumeProducing()
        host.transport.resumeProducing()
        await self.heard(host, b"patience")

    async def test_a_client_that_closes_is_gone_after_his_last_words(self: Any) -> None:
        client, host = await self.connected()
        client.send(b"bye")
        client.close()
        reason = await host.lost
        assert type(reason).__name__ == "ConnectionDone"
        assert host.heard == b"bye"

    async def test_a_client_that_is_cut_off_is_gone(self: Any) -> None:
        client, host = await self.connected()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        reason = await host.lost
        assert type(reason).__name__ == "ConnectionLost"

    async def test_writing_to_who_is_gone_harms_nobody(self: Any) -> None:
        client, host = await self.connected()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        for _ in range(3):
            host.transport.write(b"are you there?")
        await host.lost
        host.transport.write(b"still?")
        host.transport.writeSequence([b"still?"])

    async def test_a_fault_of_one_connection_ends_that_one_alone(self: Any) -> None:
        client, host = await self.connected()
        other, bystander = await self.connected()
        client.send(b"fail")
        other.send(b"go on")
        await host.lost
        await self.heard(bystander, b"go on")
        assert not bystander.lost.called
        [failure] = self.flushLoggedErrors(RuntimeError)
        assert "a fault of ours" in str(failure.value)

    async def test_an_aborted_connection_is_gone_without_its_last_words(self: Any) -> None:
        _, host = await self.connected()
        host.transport.write(b"x" * (64 * MEGABYTE))
        host.transport.abortConnection()
        reason = await host.lost
        assert type(reason).__name__ == "ConnectionAborted"

    async def test_a_connection_that_another_one_ends_in_the_same_turn_is_not_read(
        self: Any,
    ) -> None:
        first_client, first = await self.connected()
        second_client, second = await self.connected()
        for host, victim in ((first, second), (second, first)):
            host.dataReceived = lambda data, victim=victim: victim.transport.abortConnection()
        first_client.send(b"x")
        second_client.send(b"x")
        await (first.lost if second.lost.called else second.lost)


class WaveTest(Transports, TestCase):
    pass


class NoWaveTest(Transports, TestCase):
    has_wave = False


def test_a_wave_may_be_closed_twice() -> None:
    before = reactor.getReaders()
    wave = wave_on(reactor)
    assert wave is not None
    wave.close()
    wave.close()
    assert reactor.getReaders() == before
