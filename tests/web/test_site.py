"""HTTP connections: kept alive, pipelined, bounded, upgraded, and read from other origins."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.loopback import Http, LoopbackTestCase, Response, request
from tests.memory import handshake, running
from tests.signing import APP, event, signed_target
from tests.websocket.frames import PING, PONG, TEXT, Sent, frame, read_frames
from wsrelay.config.settings import Settings

EVENTS = f"/apps/{APP.id}/events"

MOST = 2048


def signed(body: bytes, **headers: str) -> bytes:
    return request("POST", signed_target("POST", EVENTS, body), body, **headers)


def chunked(body: bytes, size: int) -> bytes:
    """The body in chunks (RFC 9112, 7.1)."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class KeepAliveTest(LoopbackTestCase):
    async def test_one_connection_carries_many_requests(self) -> None:
        guest = await self.guest("room")
        connection = await self.http()
        for number in range(5):
            connection.send(signed(event("room", str(number))))
            assert (await connection.response()).json == {}
            assert (await guest.next())["data"] == str(number)
        assert not connection.is_closed

    async def test_pipelined_requests_are_answered_in_order(self) -> None:
        for more in ({}, {"TE": "trailers"}):
            connection = await self.http()
            connection.send(
                request("GET", "/up", **more)
                + request("GET", "/nowhere")
                + request("GET", "/", **more)
                + signed(event("room"))
                + request("GET", "/up")
            )
            answers = [await connection.response() for _ in range(5)]
            assert [answer.status for answer in answers] == [200, 404, 200, 200, 200]
            assert [answer.body for answer in answers[2:]] == [b"OK", b"{}", b'{"health":"OK"}']

    async def test_a_request_may_come_byte_by_byte(self) -> None:
        guest = await self.guest("room")
        for more in ({}, {"TE": "trailers"}):
            connection = await self.http()
            data = signed(event("room"), **more)
            for byte in data:
                connection.send(bytes([byte]))
            assert (await connection.response()).json == {}
            assert (await guest.next())["event"] == "told"

    async def test_a_request_may_be_cut_anywhere_and_the_next_may_follow_it(self) -> None:
        first, second = request("GET", "/up"), request("GET", "/nowhere")
        with running() as relay:
            for cut in range(1, len(first) + len(second)):
                line = relay.line()
                line.send((first + second)[:cut])
                line.send((first + second)[cut:])
                relay.turn()
                answered = line.read()
                assert answered.count(b"HTTP/1.1 ") == 2, cut
                assert answered.index(b" 200 OK") < answered.index(b" 404 Not Found"), cut
                line.hang_up()

    async def test_whoever_asks_for_it_is_closed(self) -> None:
        connection = await self.http()
        connection.send(request("GET", "/up", Connection="close"))
        response = await connection.response()
        assert response.status == 200
        assert response.headers["connection"].lower() == "close"
        assert await connection.closed() == b""

    async def test_its_answer_has_a_date_by_which_clocks_can_be_compared(self) -> None:
        for connection in ("keep-alive", "close"):
            answer = await self.ask("GET", "/up", Connection=connection)
            off = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
            assert -60 < off <= 1

    async def test_http_1_0_is_answered_and_closed(self) -> None:
        connection = await self.http()
        connection.send(b"GET /up HTTP/1.0\r\n\r\n")
        assert (await connection.closed()).endswith(b'{"health":"OK"}')

    async def test_what_is_no_http_is_400_and_closed(self) -> None:
        for bad in (
            b"\x00\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
            b"hello\r\n\r\n",
            b"GET /up\r\n\r\n",
            b"GET /up HTTP/1.1\r\nHost: x\r\nNo colon\r\n\r\n",
            b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
            b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        ):
            connection = await self.http()
            connection.send(bad)
            assert (await connection.closed()).startswith(b"HTTP/1.1 400 "), bad[:60]

    async def test_a_head_that_does_not_end_is_refused(self) -> None:
        for start in (b"GET /up HTTP/1.1\r\n", b"GET /app/a-key HTTP/1.1\r\n"):
            connection = await self.http()
            connection.send(start + b"X-Filler: x\r\n" * 2000)
            assert (await connection.closed()).startswith(b"HTTP/1.1 400 ")

    async def test_a_line_that_does_not_end_is_the_last_one(self) -> None:
        for start in (b"GET /up", b"GET /app/a-key", b"GET /up HTTP/1.1\r\nX: "):
            connection = await self.http()
            connection.send(start + b"x" * 20_000)
            await connection.closed()

    async def test_two_lengths_that_differ_are_refused(self) -> None:
        # A proxy that believes the other one would see two requests where there is one.
        smuggled = request("GET", "/up")
        for lengths in ((0, len(smuggled)), (len(smuggled), 0), (3, 4)):
            head = "POST /up HTTP/1.1\r\nHost: x\r\n" + "".join(
                f"Content-Length: {length}\r\n" for length in lengths
            )
            connection = await self.http()
            connection.send(head.encode() + b"\r\n" + smuggled)
            assert (await connection.response()).status == 400, lengths
            assert await connection.closed() == b""

    async def test_a_length_and_chunks_are_refused(self) -> None:
        connection = await self.http()
        connection.send(
            request("POST", "/up", Transfer_Encoding="chunked", Content_Length="3")
            + b"0\r\n\r\n"
            + request("GET", "/nowhere")
        )
        assert (await connection.closed()).startswith(b"HTTP/1.1 400 ")

    async def test_an_idle_connection_is_closed_after_a_minute(self) -> None:
        with running() as relay:
            line = relay.line()
            line.send(request("GET", "/up"))
            line.send(request("GET", "/up", TE="trailers"))
            relay.advance(59)
            assert line.is_open
            relay.advance(2)
            assert not line.is_open


class BodyTest(LoopbackTestCase):
    settings = Settings(apps=(APP,), host="127.0.0.1", port=0, max_body_bytes=MOST)

    def body(self, size: int) -> bytes:
        """An event of that many bytes in all."""
        return event("room", "x" * (size - len(event("room", ""))))

    async def sent(self, data: bytes) -> Response:
        connection: Http = await self.http()
        connection.send(data)
        return await connection.response()

    async def test_a_body_of_the_greatest_size_is_taken(self) -> None:
        guest = await self.guest("room")
        body = self.body(MOST)
        for data in (signed(body), signed(body, TE="trailers"), self.in_chunks(body)):
            assert (await self.sent(data)).json == {}
            assert (await guest.next())["event"] == "told"

    def in_chunks(self, body: bytes) -> bytes:
        target = signed_target("POST", EVENTS, body)
        return request("POST", target, Transfer_Encoding="chunked") + chunked(body, 100)

    async def test_one_byte_more_is_413_and_nothing_is_delivered(self) -> None:
        guest = await self.guest("room")
        body = self.body(MOST + 1)
        for data in (signed(body), signed(body, TE="trailers"), self.in_chunks(body)):
            connection = await self.http()
            connection.send(data)
            response = await connection.response()
            assert response.status == 413
            assert f"{MOST} bytes (max_body_bytes)" in response.error
            await connection.closed()
        assert (await self.publish(event("room", name="the next"))).status == 200
        assert (await guest.next())["event"] == "the next"

    async def test_an_oversize_body_is_refused_before_it_has_come(self) -> None:
        connection = await self.http()
        connection.send(request("POST", EVENTS, Content_Length=str(MOST + 1)))
        assert (await connection.response()).status == 413

    async def test_the_refusal_reaches_a_client_that_goes_on_sending(self) -> None:
        connection = await self.http()
        connection.send(request("POST", EVENTS, Content_Length=str(4 << 20)) + b"x" * (4 << 20))
        assert (await connection.response()).status == 413

    async def test_who_expects_it_is_told_to_continue_or_that_it_is_too_much(self) -> None:
        body = self.body(MOST)
        head, _, _ = signed(body, Expect="100-continue").partition(b"\r\n\r\n")
        connection = await self.http()
        connection.send(head + b"\r\n\r\n")
        assert (await connection.response()).status == 100
        connection.send(body)
        assert (await connection.response()).json == {}
        connection = await self.http()
        connection.send(
            request("POST", EVENTS, Expect="100-continue", Content_Length=str(MOST + 1))
        )
        assert (await connection.response()).status == 413


SLOW = {
    "a head": b"POST /up HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 200,
    "a body": request("POST", "/up", Content_Length="200") + b"x" * 199,
    "a body in chunks": request("POST", "/up", Transfer_Encoding="chunked") + b"1\r\nx\r\n" * 40,
}


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_request_has_its_time_from_its_first_byte_on_however_little_it_sends(slow: bytes) -> None:
    with running(Settings(apps=(APP,), handshake_timeout=300, request_timeout=20)) as relay:
        line = relay.line()
        line.send(request("GET", "/up"))
        relay.advance(50)  # between requests there is another timeout
        assert line.read().startswith(b"HTTP/1.1 200 ")
        for at in range(len(slow)):
            line.send(slow[at : at + 1])
            relay.advance(19.9 / len(slow))
        assert line.is_open
        relay.advance(0.2)
        assert not line.is_open
        answer = line.read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"within 20 seconds (request_timeout)" in answer


def test_who_does_not_read_that_he_was_too_slow_is_cut_off() -> None:
    with running() as relay:
        line = relay.line()
        line.is_read = False
        line.send(SLOW["a body"])
        relay.advance(31)
        assert line.is_open
        relay.advance(15)
        assert line.was_aborted


def test_requests_that_are_whole_in_time_leave_no_timer_behind() -> None:
    with running() as relay:
        before = len(relay.reactor.getDelayedCalls())
        line = relay.line()
        for _ in range(3):
            line.send(request("POST", "/up", Content_Length="2", TE="trailers") + b"x")
            relay.advance(29)
            line.send(b"x")
            assert line.read().startswith(b"HTTP/1.1 405 ")
        line.send(request("POST", "/up", Content_Length="2"))
        line.hang_up()
        assert len(relay.reactor.getDelayedCalls()) == before


class CorsTest(LoopbackTestCase):
    """As the users' present server has it: every origin may ask."""

    async def test_a_preflight_is_answered_for_every_origin_and_address(self) -> None:
        for path in (EVENTS, "/up", "/nowhere", "/apps/77/events", f"/app/{APP.key}"):
            response = await self.ask(
                "OPTIONS",
                path,
                Origin="https://page.example",
                Access_Control_Request_Method="POST",
                Access_Control_Request_Headers="content-type,x-socket-id",
            )
            assert (response.status, response.body) == (204, b""), path
            assert response.headers["access-control-allow-origin"] == "*"
            assert "POST" in response.headers["access-control-allow-methods"]
            allowed = response.headers["access-control-allow-headers"].lower().split(", ")
            assert {"content-type", "x-socket-id", "x-csrf-token", "authorization"} <= set(allowed)
            assert int(response.headers["access-control-max-age"]) > 0
            assert "content-type" not in response.headers

    async def test_an_answer_may_be_read_by_every_page_also_when_it_is_an_error(self) -> None:
        for path, status in (("/up", 200), ("/nowhere", 404), (EVENTS, 405)):
            response = await self.ask("GET", path, Origin="https://page.example")
            assert response.status == status
            assert response.headers["access-control-allow-origin"] == "*"

    async def test_who_is_no_page_gets_no_cors_headers(self) -> None:
        response = await self.ask("OPTIONS", "/up")
        assert response.status == 204
        assert not [name for name in response.headers if name.startswith("access-control")]


class NarrowCorsTest(LoopbackTestCase):
    settings = Settings(
        apps=(APP,), host="127.0.0.1", port=0, cors_origins=("https://page.example",)
    )

    async def test_a_page_of_an_allowed_origin_may_read_answers(self) -> None:
        for method in ("GET", "OPTIONS"):
            response = await self.ask(method, "/up", Origin="https://page.example")
            assert response.headers["access-control-allow-origin"] == "https://page.example"
            assert response.headers["vary"] == "Origin"

    async def test_a_page_of_any_other_origin_may_not(self) -> None:
        for origin in ("https://other.example", "http://page.example", "null"):
            for method in ("GET", "OPTIONS"):
                response = await self.ask(method, "/up", Origin=origin)
                assert not [name for name in response.headers if name.startswith("access-")]
                assert response.headers["vary"] == "Origin"


class UpgradeTest(LoopbackTestCase):
    """Proxies that keep connections open may send a handshake as a later request."""

    async def test_a_handshake_may_follow_requests_of_the_same_connection(self) -> None:
        for more in ({}, {"TE": "trailers"}):
            connection = await self.http()
            connection.send(request("GET", "/up", **more))
            assert (await connection.response()).status == 200
            connection.send(handshake())
            head = await connection.until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
            await connection.until(b'activity_timeout\\":120}"}')
            connection.send(frame(b"hi", PING) + frame(b'{"event":"pusher:ping"}'))
            answered = await connection.until(b'"data":{}}')
            assert read_frames(answered) == [
                Sent(PONG, b"hi"),
                Sent(TEXT, b'{"event":"pusher:pong","data":{}}'),
            ]

    async def test_such_a_visitor_is_a_subscriber_like_any_other(self) -> None:
        guest = await self.guest("room")
        connection = await self.http()
        connection.send(request("GET", "/") + handshake())
        await connection.until(b'activity_timeout\\":120}"}')
        connection.send(
            frame(json.dumps({"event": "pusher:subscribe", "data": {"channel": "room"}}).encode())
        )
        await connection.until(b'"data":"{}"}')
        assert (await self.publish(event("room", "to both"))).json == {}
        assert (await guest.next())["data"] == "to both"
        [told] = read_frames(await connection.until(b'"to both"}'))
        assert json.loads(told.payload)["event"] == "told"

    async def test_a_bad_handshake_as_a_later_request_is_refused_and_closed(self) -> None:
        connection = await self.http()
        connection.send(request("GET", "/up"))
        await connection.response()
        connection.send(handshake().replace(b"Version: 13", b"Version: 12"))
        assert (await connection.closed()).startswith(b"HTTP/1.1 400 ")
