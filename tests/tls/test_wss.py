"""The relay over TLS, with real sockets in this process: what holds for ws holds for wss."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from typing import Any

from msgspec import structs
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from tests.loopback import Http, reactor, request
from tests.memory import handshake
from tests.signing import APP, event, signed_target
from tests.stories import test_visits
from tests.tls.authority import Authority
from tests.tls.over_tls import NAME, ROOT, OverTls
from tests.visitor import Visitor, visitors
from tests.web import test_site
from tests.websocket.frames import CLOSE, Sent, frame, read_frames
from wsrelay.frontdoor import FrontDoorFactory
from wsrelay.tls import door


class VisitOverTls(OverTls, test_visits.VisitTest):
    pass


class MisbehaviourOverTls(OverTls, test_visits.MisbehaviourTest):
    pass


class KeepAliveOverTls(OverTls, test_site.KeepAliveTest):
    pass


class BodyOverTls(OverTls, test_site.BodyTest):
    pass


class UpgradeOverTls(OverTls, test_site.UpgradeTest):
    pass


class Gone(Http):
    """Remembers how it was closed: by the server's goodbye, or without one."""

    def __init__(self) -> None:
        super().__init__()
        self.reason: Any = None

    def connectionLost(self, reason: object = None) -> None:
        assert isinstance(reason, Failure)
        self.reason = reason.value
        super().connectionLost(reason)


class NeighboursTest(OverTls):
    async def test_ws_and_wss_meet_in_one_channel(self) -> None:
        over_tls = await self.guest("private-room")
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", self.plain_port)
        plain: Any = await endpoint.connect(visitors(reactor))
        self._remember(plain)
        await plain.welcome()
        await plain.joined("private-room")
        plain.whisper("private-room", "from ws")
        assert (await over_tls.next())["data"] == "from ws"
        over_tls.whisper("private-room", "from wss")
        assert (await plain.next())["data"] == "from wss"
        assert (await self.publish(event("private-room", "to both"))).json == {}
        assert [(await each.next())["data"] for each in (plain, over_tls)] == ["to both"] * 2

    async def test_the_log_marks_the_port_where_tls_is_spoken(self) -> None:
        [line] = [line for line in self.log_text.splitlines() if line.startswith("Listening on ")]
        assert f"127.0.0.1:{self.plain_port} and 127.0.0.1:{self.port} (TLS) for " in line

    async def test_who_speaks_plain_to_the_tls_port_is_closed(self) -> None:
        connection = await self.tcp()
        connection.send(request("GET", "/up"))
        await connection.closed()

    async def test_who_speaks_tls_to_the_plain_port_is_closed(self) -> None:
        connection = await self.tcp(self.plain_port)
        connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n")
        await connection.closed()

    async def test_a_handshake_may_come_byte_by_byte_in_records_of_its_own(self) -> None:
        connection = await self.http()
        for byte in handshake():
            connection.send(bytes([byte]))
            await self.a_turn()
        assert (await connection.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")

    async def test_a_client_that_does_not_believe_the_authority_disturbs_nobody(self) -> None:
        guest = await self.guest("room")
        stranger = wrapClientTLS(
            optionsForClientTLS(NAME, trustRoot=Certificate.loadPEM(Authority().pem)),
            HostnameEndpoint(reactor, "127.0.0.1", self.port),
        )
        connection = await connectProtocol(stranger, Gone())
        await connection.closed()
        assert "certificate verify failed" in str(connection.reason)
        await self.publish(event("room", "still here"))
        assert (await guest.next())["data"] == "still here"
        assert "Traceback" not in self.log_text


class DeadlineTest(OverTls):
    """``handshake_timeout`` counts from the first moment of TCP, not from the end of TLS."""

    async def setUp(self) -> None:
        await super().setUp()
        self.clock = self.relay._doors.front.reactor = Clock()
        self.deadline = self.settings.handshake_timeout

    async def arrived(self) -> None:
        """The server has taken the connection, and gives it its time."""
        while not self.clock.getDelayedCalls():
            await self.a_turn()

    async def is_cut_off(self, connection: Http) -> None:
        """The connection is closed at the deadline and not before."""
        await self.arrived()
        self.clock.advance(self.deadline - 0.1)
        await self.a_turn()
        assert not connection.is_closed
        self.clock.advance(0.2)
        await connection.closed()

    def hello(self) -> bytes:
        """The first words of a client that speaks TLS."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=NAME)
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        return outgoing.read()

    async def test_who_says_nothing_is_closed(self) -> None:
        await self.is_cut_off(await self.tcp())

    async def test_who_stops_in_the_middle_of_his_hello_is_closed(self) -> None:
        connection = await self.tcp()
        connection.send(self.hello()[:100])
        await self.is_cut_off(connection)

    async def test_who_never_finishes_the_tls_handshake_is_closed(self) -> None:
        connection = await self.tcp()
        connection.send(self.hello())
        await connection.until(b"\x16\x03\x03")  # the server's half
        await self.is_cut_off(connection)

    async def test_who_sends_a_byte_now_and_then_gets_no_more_time(self) -> None:
        connection = await self.tcp()
        await self.arrived()
        for byte in self.hello()[:-1]:
            connection.send(bytes([byte]))
            await self.a_turn()
            self.clock.advance(self.deadline / 100)
            if connection.is_closed:
                break
        assert connection.is_closed
        assert self.clock.seconds() < 2 * self.deadline

    async def test_who_has_shaken_hands_and_asks_for_nothing_is_closed(self) -> None:
        await self.is_cut_off(await self.http())

    async def test_who_was_in_time_stays(self) -> None:
        guest = await self.guest("room")
        self.clock.advance(10 * self.deadline)
        await self.publish(event("room", "still here"))
        assert (await guest.next())["data"] == "still here"


class FarewellTest(OverTls):
    async def test_after_the_close_frame_comes_the_goodbye_of_tls(self) -> None:
        connection = await connectProtocol(self.endpoint(), Gone())
        self._remember(connection)
        connection.send(handshake())
        await connection.until(b'activity_timeout\\":120}"}')
        connection.send(frame((1000).to_bytes(2, "big"), CLOSE))
        assert read_frames(await connection.closed()) == [Sent(CLOSE, (1000).to_bytes(2, "big"))]
        assert isinstance(connection.reason, ConnectionDone), connection.reason

    async def test_whoever_stops_the_relay_waits_for_nobody_who_answers(self) -> None:
        guests = [await self.guest("room") for _ in range(3)]
        began = reactor.seconds()
        await self.stop()
        for guest in guests:
            farewell = await guest.closed()
            assert farewell is not None
            assert farewell[0] == 4100
        assert reactor.seconds() - began < door.FAREWELL / 2

    async def test_who_does_not_answer_the_goodbye_is_left_all_the_same(self) -> None:
        self.patch(door, "FAREWELL", 0.2)

        def ask() -> tuple[bytes, bytes]:
            """What is read up to the goodbye of TLS, and then up to the end of TCP."""
            context = ssl.create_default_context(cadata=ROOT.pem.decode())
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
            answer = b""
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as tcp:

                def until_done(step: Any) -> Any:
                    while True:
                        try:
                            return step()
                        except ssl.SSLWantReadError:
                            tcp.sendall(outgoing.read())
                            came = tcp.recv(65536)
                            assert came, "closed without a goodbye"
                            incoming.write(came)

                until_done(client.do_handshake)
                client.write(request("GET", "/up", Connection="close"))
                tcp.sendall(outgoing.read())
                while read := until_done(lambda: client.read(65536)):
                    answer += read
                return answer, tcp.recv(1)

        answer, end = await deferToThread(ask)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert end == b"", "closed before the client's five seconds were over"

    async def test_a_connection_that_is_gone_can_be_aborted(self) -> None:
        taken = []
        build = FrontDoorFactory.buildProtocol

        def remember(factory: Any, address: Any) -> Any:
            taken.append(build(factory, address))
            return taken[-1]

        self.patch(FrontDoorFactory, "buildProtocol", remember)
        connection = await self.http()
        transport = taken[0].transport
        connection.transport.loseConnection()
        while transport.connected:
            await self.a_turn()
        transport.abortConnection()
        transport.loseConnection()


class Publishing(OverTls):
    #: Ten of nine kilobytes, as many as the API takes at once.
    AT_ONCE = 10

    async def publish_from(self, start: int) -> None:
        """Events that begin with their number."""
        if not hasattr(self, "backend"):
            self.backend = await self.http()
        batch = [
            {"name": "told", "channel": "room", "data": f"{number} {'x' * 9_000}"}
            for number in range(start, start + self.AT_ONCE)
        ]
        body = json.dumps({"batch": batch}).encode()
        target = signed_target("POST", f"/apps/{APP.id}/batch_events", body)
        self.backend.send(request("POST", target, body))
        assert (await self.backend.response()).status == 200

    async def hear_from(self, visitor: Visitor, start: int, end: int) -> None:
        for number in range(start, end):
            assert (await visitor.next())["data"].startswith(f"{number} ")


class SlowReaderTest(Publishing):
    settings = structs.replace(OverTls.settings, max_waiting_bytes=64 * 1024 * 1024)

    async def test_what_is_held_for_a_slow_reader_comes_whole_and_in_order(self) -> None:
        slow = await self.guest("room")
        slow.transport.pauseProducing()
        many = 1500  # more than the kernel keeps for a connection over loopback
        for start in range(0, many, self.AT_ONCE):
            await self.publish_from(start)
        assert len(slow.messages) < many
        slow.transport.resumeProducing()
        await self.hear_from(slow, 0, many)
        assert self.relay.tally.slow_readers_closed == 0


class SlowestReaderTest(Publishing):
    async def test_who_does_not_keep_up_is_closed_and_others_do_not_notice(self) -> None:
        slow, quick = await self.guest("room"), await self.guest("room")
        slow.transport.pauseProducing()
        start = 0
        while not self.relay.tally.slow_readers_closed:
            await self.publish_from(start)
            await self.hear_from(quick, start, start + self.AT_ONCE)
            start += self.AT_ONCE
            assert start < 5000
        await self.publish_from(start)
        await self.hear_from(quick, start, start + self.AT_ONCE)


class RenewalTest(OverTls):
    async def test_a_new_certificate_is_shown_to_who_comes_and_nobody_is_disturbed(self) -> None:
        before = await self.guest("room")
        new = ROOT.issue(NAME)
        new.store(self.directory)
        self.relay.reload()
        after = await self.guest("room")
        await self.publish(event("room", "to both"))
        assert [(await each.next())["data"] for each in (before, after)] == ["to both"] * 2
        serials = [
            each.transport.getPeerCertificate().get_serial_number() for each in (before, after)
        ]
        assert serials[0] != serials[1] == new.serial
