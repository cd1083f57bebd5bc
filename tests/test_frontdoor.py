"""wsrelay.frontdoor: which requests are for sockets, and how long their heads may take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loopback import request
from tests.memory import Server, handshake, running
from tests.signing import APP
from wsrelay.config.settings import Settings


@pytest.fixture
def relay() -> Iterator[Server]:
    with running() as server:
        yield server


def test_a_handshake_may_be_cut_anywhere(relay: Server) -> None:
    whole = handshake(headers=b"Origin: https://page.example\r\n")
    for cut in range(1, len(whole)):
        line = relay.line()
        line.send(whole[:cut])
        assert line.read() == b"", cut
        line.send(whole[cut:])
        relay.turn()
        answer = line.read()
        assert answer.startswith(b"HTTP/1.1 101 "), cut
        assert b"pusher:connection_established" in answer, cut
        line.hang_up()


def test_a_handshake_may_come_byte_by_byte(relay: Server) -> None:
    line = relay.line()
    for byte in handshake():
        line.send(bytes([byte]))
    relay.turn()
    assert line.read().startswith(b"HTTP/1.1 101 ")


def test_a_request_may_be_cut_anywhere_also_below_the_path_of_sockets(relay: Server) -> None:
    whole = request("GET", f"/app/{APP.key}")
    for cut in range(1, len(whole)):
        line = relay.line()
        line.send(whole[:cut])
        line.send(whole[cut:])
        assert line.read().startswith(b"HTTP/1.1 426 "), cut
        line.hang_up()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("GET", "/"), b"200"),
        (request("GET", f"/app/{APP.key}"), b"426"),
        (request("GET", "/app"), b"404"),
        (request("GET", "/apps/1/channels"), b"404"),
        (request("POST", f"/app/{APP.key}", b"x"), b"4"),
        (request("HEAD", f"/app/{APP.key}"), b"426"),
        (handshake().replace(b"GET /app/", b"GET /up?"), b"200"),
        (handshake().replace(b"GET", b"PUT"), b"4"),
        (handshake().replace(b"Upgrade: websocket", b"uPGRADE: WebSocket"), b"101"),
    ],
)
def test_method_path_and_upgrade_say_whose_a_request_is(
    relay: Server, data: bytes, status: bytes
) -> None:
    line = relay.line()
    line.send(data)
    relay.turn()
    assert line.read().startswith(b"HTTP/1.1 " + status)


def test_a_page_that_says_upgrade_in_its_path_is_no_handshake(relay: Server) -> None:
    line = relay.line()
    line.send(request("GET", f"/app/{APP.key}?upgrade:websocket"))
    assert line.read().startswith(b"HTTP/1.1 426 ")


@pytest.mark.parametrize("start", [b"", b"GET /app/a", handshake()[:-2]])
def test_who_does_not_get_to_the_point_is_cut_off(start: bytes) -> None:
    with running(Settings(apps=(APP,), handshake_timeout=3)) as relay:
        line = relay.line()
        line.send(start)
        for _ in range(29):
            relay.advance(0.1)
        assert line.is_open
        line.send(start[:0])
        relay.advance(0.2)
        assert not line.is_open
        assert line.was_aborted


def test_a_slow_handshake_gets_no_more_time_by_sending_a_little(relay: Server) -> None:
    line = relay.line()
    for byte in handshake()[:9]:
        line.send(bytes([byte]))
        relay.advance(1)
    assert line.is_open
    relay.advance(1)
    assert not line.is_open


def test_a_slow_request_gets_no_more_time_by_sending_a_little(relay: Server) -> None:
    line = relay.line()
    for byte in request("POST", "/apps/1001/events", b"x" * 100)[:30]:
        line.send(bytes([byte]))
        relay.advance(1)
    assert not line.is_open


def test_who_was_in_time_stays(relay: Server) -> None:
    guest = relay.guest("room")
    asking = relay.line()
    asking.send(request("GET", "/up"))
    relay.advance(30)
    assert guest.line.is_open
    assert asking.is_open


def test_a_head_of_more_than_16_kilobytes_is_refused(relay: Server) -> None:
    for filler in (b"X: y\r\n" * 3000, b"X: " + b"y" * 20_000):
        line = relay.line()
        line.send(handshake()[:-2] + filler)
        relay.turn()
        answer = line.read()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
        assert not line.is_open


@pytest.mark.parametrize(
    "hello",
    [
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300) + b"\r\n\r\n",
    ],
)
def test_who_speaks_tls_to_a_plain_port_is_refused_at_once(relay: Server, hello: bytes) -> None:
    line = relay.line()
    line.send(hello)
    relay.turn()
    assert not line.is_open
    assert line.read() == b""


def test_who_goes_before_his_request_leaves_nothing_behind(relay: Server) -> None:
    before = len(relay.reactor.getDelayedCalls())
    line = relay.line()
    line.send(b"GET /app/")
    line.hang_up()
    assert len(relay.reactor.getDelayedCalls()) == before
