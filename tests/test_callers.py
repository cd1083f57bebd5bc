"""wsrelay.callers: who is there that is no WebSocket, and what HTTP does when it has to end."""

from __future__ import annotations

from tests.loopback import request
from tests.memory import Server, running
from tests.signing import APP, event, signed_target
from wsrelay.callers import Callers


class Caller:
    def __init__(self, callers: Callers, *, is_asking: bool) -> None:
        self.is_asking = is_asking
        self._callers = callers
        callers.add(self)

    def hang_up(self) -> None:
        self._callers.discard(self)


def test_the_silent_are_hung_up_on_and_who_asks_is_not() -> None:
    callers = Callers()
    Caller(callers, is_asking=False)
    asking = Caller(callers, is_asking=True)
    Caller(callers, is_asking=False)
    callers.hang_up_the_silent()
    gone = callers.when_gone()
    assert not gone.called
    asking.hang_up()
    assert gone.called


def test_where_nobody_is_all_have_gone() -> None:
    assert Callers().when_gone().called


# -- on the wire -----------------------------------------------------------------------------


def callers(relay: Server) -> Callers:
    return relay.service._doors.front.callers


def publishing(**headers: str) -> bytes:
    body = event("room")
    return request("POST", signed_target("POST", f"/apps/{APP.id}/events", body), body, **headers)


def test_each_connection_is_counted_once_until_it_is_a_websocket() -> None:
    with running() as relay:
        common, browsers, late, half = (relay.line() for _ in range(4))
        assert len(callers(relay)) == 4
        common.send(publishing())
        browsers.send(publishing(Origin="https://page.example"))  # twisted.web's
        half.send(b"GET /app/")
        relay.turn()
        assert len(callers(relay)) == 4
        relay.guest()
        assert len(callers(relay)) == 4
        for line in (common, browsers, late, half):
            line.hang_up()
        assert len(callers(relay)) == 0


def test_a_kept_connection_that_becomes_a_websocket_is_none_of_them() -> None:
    with running() as relay:
        line = relay.line()
        line.send(publishing(Origin="https://page.example"))
        relay.turn()
        line.read()
        line.send(
            f"GET /app/{APP.key} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        relay.turn()
        assert line.read().startswith(b"HTTP/1.1 101")
        assert len(callers(relay)) == 0


def test_when_it_has_to_end_an_answer_is_the_last_one_of_its_connection() -> None:
    for headers in ({}, {"Origin": "https://page.example"}):  # the fast lane, and twisted.web
        with running() as relay:
            line = relay.line()
            line.send(publishing(**headers))
            relay.turn()
            first = line.read().lower()
            assert first.startswith(b"http/1.1 200 ok")
            assert b"connection: close" not in first
            callers(relay).is_leaving = True
            line.send(publishing(**headers) * 2)
            relay.turn()
            answer = line.read().lower()
            assert answer.count(b"http/1.1 200 ok") == 1
            assert b"\r\nconnection: close\r\n" in answer
            assert not line.is_open
            assert len(callers(relay)) == 0


def test_a_request_whose_body_is_still_to_come_is_answered_too() -> None:
    with running() as relay:
        line = relay.line()
        whole = publishing()
        line.send(whole[:-5])
        callers(relay).is_leaving = True
        callers(relay).hang_up_the_silent()
        relay.turn()
        assert line.is_open
        line.send(whole[-5:])
        relay.turn()
        assert line.read().startswith(b"HTTP/1.1 200 OK")
        assert not line.is_open


def test_who_has_said_nothing_yet_or_no_more_is_hung_up_on() -> None:
    with running() as relay:
        fresh, kept, browsers = (relay.line() for _ in range(3))
        kept.send(publishing())
        browsers.send(publishing(Origin="https://page.example"))
        relay.turn()
        callers(relay).hang_up_the_silent()
        relay.turn()
        assert not any(line.is_open for line in (fresh, kept, browsers))
        assert callers(relay).when_gone().called
