"""Whom the log names when a request was refused, by each of the roads that one may take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.loopback import request
from tests.memory import Server, running
from tests.signing import APP
from wsrelay.config.settings import Settings

ADA = "203.0.113.9"
#: Where the connections of ``tests.memory`` come from.
PROXY = "192.0.2.1"
TARGET = f"/apps/{APP.id}/channels?auth_key=wrong"

FORWARDED = {"X_Forwarded_For": f"198.51.100.1, {ADA}"}
#: With an origin, a request is twisted.web's.
ROADS = (request("GET", TARGET, **FORWARDED), request("GET", TARGET, Origin="x", **FORWARDED))


@pytest.fixture
def log() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def refused(relay: Server, data: bytes, log: list[LogEvent]) -> str:
    line = relay.line()
    line.send(data)
    relay.turn()
    assert line.read().startswith(b"HTTP/1.1 401 ")
    [told] = [text for event in log if "refused (401)" in (text := formatEvent(event) or "")]
    return told


@pytest.mark.parametrize("data", ROADS)
def test_it_is_the_client_that_a_trusted_proxy_names(data: bytes, log: list[LogEvent]) -> None:
    with running(Settings(apps=(APP,), trusted_proxies=(PROXY,))) as relay:
        told = refused(relay, data, log)
    assert f"GET /apps/{APP.id}/channels of {ADA} refused (401): " in told


@pytest.mark.parametrize("data", ROADS)
def test_without_trust_it_is_whoever_connected(data: bytes, log: list[LogEvent]) -> None:
    with running() as relay:
        assert f" of {PROXY}:" in refused(relay, data, log)


def test_what_a_body_says_is_not_its_head(log: list[LogEvent]) -> None:
    body = b"\r\nX-Forwarded-For: 198.51.100.66\r\n"
    data = request("POST", f"/apps/{APP.id}/events?auth_key=wrong", body, **FORWARDED)
    with running(Settings(apps=(APP,), trusted_proxies=(PROXY,))) as relay:
        assert f" of {ADA} refused" in refused(relay, data, log)
