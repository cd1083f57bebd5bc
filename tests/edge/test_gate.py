"""wsrelay.edge.gate: whoever comes through is as one who connected himself."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.logger import formatEvent, globalLogPublisher

import tests.properties  # noqa: F401  (how many examples)
from tests.edge.headers import LOCAL, v1, v2
from tests.loopback import Http, LoopbackTestCase, reactor, request
from tests.memory import Server, handshake, running
from tests.signing import APP
from wsrelay.config.settings import Settings

ADA, BOB = "203.0.113.7", "2001:db8::7"
#: Where the connections of ``tests.memory`` come from.
PROXY = "192.0.2.1"
SETTINGS = Settings(apps=(APP,), trusted_proxies=(PROXY,), proxy_protocol=True)
WELCOME = b"pusher:connection_established"


@contextmanager
def log_lines() -> Iterator[list[str]]:
    lines: list[str] = []

    def write(event: object) -> None:
        lines.append(formatEvent(event) or "")

    globalLogPublisher.addObserver(write)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(write)


@pytest.fixture
def relay() -> Iterator[Server]:
    with running(SETTINGS) as server:
        yield server


def answer(relay: Server, *data: bytes) -> bytes:
    line = relay.line()
    for piece in data:
        line.send(piece)
    relay.turn()
    return line.read()


@pytest.mark.parametrize("host", [ADA, BOB])
@pytest.mark.parametrize("written", [v1, v2])
def test_the_log_names_the_client_that_the_header_names(written: object, host: str) -> None:
    assert callable(written)
    with running(SETTINGS) as relay, log_lines() as log:
        assert WELCOME in answer(relay, written(host, 4711) + handshake())
    name = f"[{host}]:4711" if ":" in host else f"{host}:4711"
    assert any(f"app 1001: {name} opened" in line for line in log)
    assert not any(PROXY in line for line in log)


@given(st.sampled_from([v1(ADA), v2(BOB), LOCAL]), st.lists(st.integers(0, 300), max_size=4))
def test_header_and_handshake_may_come_in_any_pieces(header: bytes, cuts: list[int]) -> None:
    whole = header + handshake()
    places = [0, *sorted(cuts), len(whole)]
    with running(SETTINGS) as relay:
        pieces = [whole[start:end] for start, end in pairwise(places)]
        assert WELCOME in answer(relay, *pieces)


def test_http_comes_through_as_well(relay: Server) -> None:
    assert answer(relay, v2(ADA), request("GET", "/up")).endswith(b'{"health":"OK"}')


def test_a_header_alone_is_waited_with(relay: Server) -> None:
    line = relay.line()
    line.send(v2(ADA))
    relay.advance(SETTINGS.handshake_timeout - 1)
    assert line.is_open
    assert line.read() == b""
    line.send(handshake())
    relay.turn()
    assert WELCOME in line.read()


def test_the_health_check_of_a_proxy_is_the_proxy_s_own() -> None:
    with running(SETTINGS) as relay, log_lines() as log:
        assert WELCOME in answer(relay, LOCAL + handshake())
    assert any(f"app 1001: {PROXY}:" in line for line in log)


@pytest.mark.parametrize(
    "data",
    [handshake(), request("GET", "/up"), b"\x16\x03\x01", b"PROXY TCP4 1.2.3.4\r\n" + handshake()],
)
def test_without_a_header_it_is_closed_counted_and_logged(data: bytes) -> None:
    with running(SETTINGS) as relay, log_lines() as log:
        line = relay.line()
        line.send(data)
        relay.turn()
        assert not line.is_open
        assert line.read() == b""
        assert relay.service.tally.proxy_headers_refused == 1
    assert [line for line in log if line.startswith(f"{PROXY} closed, connections here come from")]


def test_whoever_is_not_trusted_is_closed_before_a_word() -> None:
    settings = Settings(apps=(APP,), trusted_proxies=("10.0.0.0/8",), proxy_protocol=True)
    with running(settings) as relay, log_lines() as log:
        factory = relay.reactor.tcpServers[0][1]
        for _ in range(50):
            line = relay.line()
            relay.turn()
            assert not line.is_open
            assert line.read() == b""
        factory.buildProtocol(UNIXAddress(None))
        assert relay.service.tally.proxy_headers_refused == 51
    [line] = [line for line in log if "proxy_protocol" in line]
    assert line == (
        "192.0.2.1 closed, connections here come from proxies (proxy_protocol): "
        "it is not one of trusted_proxies"
    )


@pytest.mark.parametrize("start", [b"", v1(ADA)[:-1], v2(ADA)[:-1]])
def test_who_does_not_come_to_the_end_of_a_header_is_cut_off(relay: Server, start: bytes) -> None:
    line = relay.line()
    line.send(start)
    relay.advance(SETTINGS.handshake_timeout - 0.1)
    assert line.is_open
    relay.advance(0.2)
    assert not line.is_open
    assert relay.service.tally.proxy_headers_refused == 1


def test_who_goes_before_the_end_of_the_header_leaves_nothing_behind(relay: Server) -> None:
    before = len(relay.reactor.getDelayedCalls())
    line = relay.line()
    line.send(b"PROXY ")
    line.hang_up()
    assert len(relay.reactor.getDelayedCalls()) == before
    assert relay.service.tally.proxy_headers_refused == 0


def test_limits_of_an_address_are_those_of_the_client_not_of_the_proxy() -> None:
    settings = Settings(
        apps=(APP,), trusted_proxies=(PROXY,), proxy_protocol=True, max_connections_per_ip=1
    )
    with running(settings) as relay:
        first = relay.line()
        first.send(v1(ADA, 1) + handshake())
        relay.turn()
        assert WELCOME in first.read()
        assert b"4100" in answer(relay, v2(ADA, 2) + handshake())
        assert WELCOME in answer(relay, v2(BOB, 3) + handshake())
        first.hang_up()
        assert WELCOME in answer(relay, v2(ADA, 4) + handshake())


def test_the_pace_of_an_address_is_that_of_the_client() -> None:
    settings = Settings(
        apps=(APP,), trusted_proxies=(PROXY,), proxy_protocol=True, connection_rate_per_ip=1
    )
    with running(settings) as relay:
        assert WELCOME in answer(relay, v1(ADA) + handshake())
        assert b"connection_rate_per_ip" in answer(relay, v1(ADA) + handshake())
        assert WELCOME in answer(relay, v1(BOB) + handshake())


class GateTest(LoopbackTestCase):
    """On real sockets, whose transports are the relay's own."""

    settings = Settings(
        apps=(APP,),
        host="127.0.0.1",
        port=0,
        trusted_proxies=("127.0.0.1",),
        proxy_protocol=True,
        max_connections_per_ip=1,
    )

    async def test_the_client_is_the_one_of_the_header(self) -> None:
        connection = await self.http()
        connection.send(v2(BOB, 4711) + handshake())
        await connection.until(WELCOME)
        assert f"app 1001: [{BOB}]:4711 opened" in self.log_text
        assert re.search(r"Listening on \S+ \(PROXY\) for", self.log_text)
        second = await self.http()
        second.send(v1(BOB) + handshake())
        await second.until(b"max_connections_per_ip")

    async def test_who_speaks_for_nobody_is_closed(self) -> None:
        connection = await self.http()
        connection.send(handshake())
        assert await connection.closed() == b""


class UnixGateTest(LoopbackTestCase):
    async def setUp(self) -> None:
        self.directory = TemporaryDirectory()
        self.path = str(Path(self.directory.name) / "relay.sock")
        self.settings = Settings(
            apps=(APP,),
            listen=("tcp:0:interface=127.0.0.1", f"unix:{self.path}"),
            trusted_proxies=("unix",),
            proxy_protocol=True,
        )
        await super().setUp()

    async def tearDown(self) -> None:
        await super().tearDown()
        self.directory.cleanup()  # not before, as a cleanup of trial's would be

    async def test_a_proxy_may_come_by_a_unix_socket(self) -> None:
        endpoint = UNIXClientEndpoint(reactor, self.path)
        connection = await connectProtocol(endpoint, Http())
        self._clients.append(connection)
        connection.send(v1(ADA, 4711) + handshake())
        await connection.until(WELCOME)
        assert f"app 1001: {ADA}:4711 opened" in self.log_text
        connection.transport.abortConnection()
        while f"{ADA}:4711 closed" not in self.log_text:
            await self.a_turn()

    async def test_and_then_who_comes_by_tcp_is_none(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.setblocking(False)
            while "127.0.0.1 closed, connections here come from proxies" not in self.log_text:
                await self.a_turn()
