"""What a connection is given, and what is made of the address it was asked for at."""

from __future__ import annotations

import re

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.memory import Server, handshake
from wsrelay.websocket.factory import new_socket_id


def test_a_socket_id_is_two_numbers_and_never_the_same() -> None:
    ids = {new_socket_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    for each in ids:  # what pusher-http-python, PHP and Ruby insist on
        assert re.fullmatch(r"[0-9]+\.[0-9]+", each)
        assert not re.match(r"0[0-9]", each)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (IPv4Address("TCP", "192.0.2.7", 50412), "192.0.2.7:50412"),
        (IPv6Address("TCP", "2001:db8::7", 50412), "[2001:db8::7]:50412"),
        (UNIXAddress(b"/run/client.sock"), "unix"),
    ],
)
def test_a_client_is_known_by_his_address(relay: Server, address: object, name: str) -> None:
    log: list[LogEvent] = []
    globalLogPublisher.addObserver(log.append)
    line = relay.line()
    line.getPeer = lambda: address  # type: ignore[assignment,method-assign,return-value]
    line.send(handshake())
    globalLogPublisher.removeObserver(log.append)
    assert f" {name} opened " in formatEvent(log[-1])


@pytest.mark.parametrize(
    ("target", "client"),
    [
        ("a-key", "- -"),
        ("a-key?client=js&version=8.6.0&protocol=7&flash=false", "js 8.6.0"),
        ("a-key?version=1&client=js&client=other", "js 1"),
        ("a-key?client=&version", "- -"),
        ("a-key?client=" + "x" * 100, "x" * 64),
        ("a%2Dkey?client=j%20s&%ff=%ff&&=", "j s -"),
    ],
)
def test_the_query_tells_who_a_client_is_in_any_order(
    relay: Server, target: str, client: str
) -> None:
    log: list[LogEvent] = []
    globalLogPublisher.addObserver(log.append)
    line = relay.line()
    line.send(handshake().replace(b"a-key?protocol=7", target.encode()))
    relay.turn()
    globalLogPublisher.removeObserver(log.append)
    assert b"pusher:connection_established" in line.read()
    assert formatEvent(log[-1]).endswith(f"({client})")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("", 4001),
        ("?protocol=7", 4001),
        ("a-key/", 4001),
        ("A-KEY", 4001),
        ("a-key?protocol=3", 4007),
        ("a-key?protocol=8", 4007),
        ("a-key?protocol=x", 4006),
        ("a-key?protocol=7.0", 4006),
        ("a-key?protocol=5", 0),
        ("a-key?protocol=", 0),
    ],
)
def test_key_and_protocol_are_taken_from_the_address(relay: Server, target: str, code: int) -> None:
    line = relay.line()
    line.send(handshake().replace(b"a-key?protocol=7", target.encode()))
    relay.turn()
    answer = line.read()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert (b'"code":%d' % code in answer) is bool(code)
    assert (b"pusher:connection_established" in answer) is not bool(code)
