"""``X-Forwarded-For`` of a handshake, by each of the roads that one may take."""

from __future__ import annotations

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.loopback import request
from tests.memory import Server, handshake, running
from tests.signing import APP
from wsrelay.config.settings import Settings

ADA = "203.0.113.9"
#: Where the connections of ``tests.memory`` come from.
PROXY = "192.0.2.1"

COMMON = handshake(headers=b"X-Forwarded-For: 198.51.100.1, %s\r\n" % ADA.encode())
#: Two headers of a name, or a subprotocol, are Autobahn's to read.
OF_AUTOBAHN = (
    handshake(headers=b"X-Forwarded-For: 198.51.100.1\r\nX-FORWARDED-FOR: %s\r\n" % ADA.encode()),
    COMMON.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: any\r\n\r\n"),
)


def settings(*trusted: str, **more: int) -> Settings:
    return Settings(apps=(APP,), trusted_proxies=trusted, **more)


def opened(relay: Server, data: bytes, before: bytes = b"") -> str:
    """Who the log says has opened a connection."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        line = relay.line()
        if before:
            line.send(before)
            relay.turn()
        line.send(data)
        relay.turn()
        assert b"connection_established" in line.read()
    finally:
        globalLogPublisher.removeObserver(events.append)
    [told] = [str(event["peer"]) for event in events if "opened" in (formatEvent(event) or "")]
    return told


@pytest.mark.parametrize("data", [COMMON, *OF_AUTOBAHN])
def test_the_client_is_whom_a_trusted_proxy_names(data: bytes) -> None:
    with running(settings("192.0.2.0/24")) as relay:
        assert opened(relay, data) == ADA


@pytest.mark.parametrize("data", [COMMON, *OF_AUTOBAHN])
def test_a_later_handshake_on_a_kept_connection_is_read_as_well(data: bytes) -> None:
    with running(settings(PROXY)) as relay:
        assert opened(relay, data, before=request("GET", "/up")) == ADA


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8", "unix")])
@pytest.mark.parametrize("data", [COMMON, *OF_AUTOBAHN])
def test_nobody_else_is_believed(data: bytes, trusted: tuple[str, ...]) -> None:
    with running(settings(*trusted)) as relay:
        assert opened(relay, data).startswith(f"{PROXY}:")


def test_limits_are_those_of_the_client() -> None:
    with running(settings(PROXY, max_connections_per_ip=1)) as relay:
        for name in (b"203.0.113.9", b"203.0.113.8", b"[2001:db8::8]:4711"):
            head = handshake(headers=b"X-Forwarded-For: %s\r\n" % name)
            first, second = relay.line(), relay.line()
            first.send(head)
            second.send(head)
            relay.turn()
            assert b"connection_established" in first.read()
            assert b"max_connections_per_ip" in second.read()
            first.hang_up()
            third = relay.line()
            third.send(head)
            relay.turn()
            assert b"connection_established" in third.read()
