"""The common request is answered as twisted.web would have it answered."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import Gate
from tests.loopback import request
from tests.memory import FULL, Line, Server, running
from tests.properties import thorough
from tests.signing import APP, event, signed_target
from wsrelay.config.settings import Settings
from wsrelay.frontdoor import TLS_HANDSHAKE
from wsrelay.web.fastlane import take_request
from wsrelay.web.site import IDLE_TIMEOUT

MOST = 4096


def answer_of(relay: Server, data: bytes) -> tuple[int, dict[str, str], bytes, bool]:
    """Status, headers, body, and whether the connection stays open."""
    line: Line = relay.line()
    line.send(data)
    relay.turn()
    head, _, body = line.read().partition(b"\r\n\r\n")
    start, *fields = head.decode().split("\r\n")
    headers = {}
    for field in fields:
        name, _, value = field.partition(": ")
        headers[name.lower()] = value
    return int(start.split()[1]), headers, body, line.is_open


def targets() -> list[tuple[str, str, bytes]]:
    body = event(["room", "presence-room"], info="user_count,subscription_count")
    events, root = f"/apps/{APP.id}/events", f"/apps/{APP.id}"
    return [
        ("GET", "/", b""),
        ("GET", "/up", b""),
        ("POST", "/up", b"x"),
        ("GET", "/nowhere?a=b", b""),
        ("GET", f"/app/{APP.key}", b""),
        ("POST", events, body),
        ("POST", signed_target("POST", events, body), body),
        ("POST", signed_target("POST", events, b"{}"), b"{}"),
        ("POST", signed_target("POST", events, event("room", name="é")), event("room", name="é")),
        ("GET", signed_target("GET", f"{root}/channels", info="subscription_count"), b""),
        ("GET", signed_target("GET", f"{root}/channels/presence-room"), b""),
        ("GET", signed_target("GET", f"{root}/channels/room/users"), b""),
    ]


@pytest.mark.parametrize(("method", "target", "body"), targets())
def test_a_request_has_the_same_answer_on_both_roads(method: str, target: str, body: bytes) -> None:
    with running() as relay:
        common = answer_of(relay, request(method, target, body))
        other = answer_of(relay, request(method, target, body, TE="trailers"))
        for _, headers, _, _ in (common, other):
            assert headers.pop("date").endswith(" GMT")  # it may be the next second's
        assert common == other


@pytest.mark.parametrize("header", ["Expect: 100-continue", "Origin: http://a.example", "TE: x"])
def test_a_header_that_changes_the_answer_is_left_to_twisted_web(header: str) -> None:
    data = f"GET /up HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n".encode()
    assert take_request(data, MOST) is None
    assert take_request(data.replace(header.encode(), b"Accept: */*"), MOST) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"GET /up HTTP/1.1\r\nHost: a\r\n",
        b"GET /up HTTP/1.0\r\nHost: a\r\n\r\n",
        b"GET  /up HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PUT /up HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a/up HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /up HTTP/1.1\r\n\r\n",
        b"GET /up HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /up HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /up HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET /up HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        b"GET /up HTTP/1.1\nHost: a\n\n",
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcd",
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 4_0\r\n\r\n" + b"x" * 40,
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\nabcd",
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000,
        b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_whatever_is_not_plainly_written_is_left_to_twisted_web(data: bytes) -> None:
    assert take_request(data, MOST) is None


def test_a_request_is_taken_with_its_end_and_without_the_next() -> None:
    body = json.dumps({"a": 1}).encode()
    data = request("POST", "/a%20b?x=%3B&y", body) + b"GET /"
    taken = take_request(data, MOST)
    assert taken is not None
    asked, end = taken
    assert (asked.method, asked.path, asked.body) == ("POST", "/a%20b", body)
    assert asked.query == [("x", ";"), ("y", "")]
    assert data[end:] == b"GET /"


# -- who does not read, and who has to wait -------------------------------------------------


def test_who_does_not_read_his_answers_costs_no_more_than_a_transport_holds() -> None:
    with running() as relay:
        line = relay.line()
        line.is_read = False
        most = 5000
        for _ in range(most):
            line.send(request("GET", "/up"))
        relay.turn()
        assert line.unread_bytes < 2 * FULL
        line.catch_up()
        relay.turn()
        assert len(statuses(line)) == most


def test_who_never_reads_his_answers_is_cut_off_when_he_has_been_idle_for_too_long() -> None:
    with running() as relay:
        line = relay.line()
        line.is_read = False
        for _ in range(5000):
            line.send(request("GET", "/up"))
        relay.advance(IDLE_TIMEOUT + 1)
        assert line.was_aborted
        assert not line.is_open


def test_requests_behind_one_that_waits_for_other_nodes_are_answered_after_it() -> None:
    with running() as relay:
        gate = Gate()
        bus = relay.service.relay._bus
        bus.carry_surely = lambda *_: gate.passage()  # type: ignore[method-assign]
        body = event("room")
        publish = request("POST", signed_target("POST", f"/apps/{APP.id}/events", body), body)
        line = relay.line()
        line.send(request("GET", "/up") + publish + request("GET", "/nowhere"))
        line.send(request("GET", "/up"))
        line.send(request("GET", "/up", TE="trailers"))
        relay.turn()
        assert statuses(line) == [b"200"]
        relay.advance(IDLE_TIMEOUT + 1)
        gate.open()
        relay.turn()
        assert statuses(line) == [b"200", b"404", b"200", b"200"]
        assert line.is_open


PIECES = st.sampled_from(
    [
        b"GET /up HTTP/1.1\r\nHost: a\r\n",
        b"POST /up HTTP/1.1\r\nHost: a\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 4\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"X: y\r\n",
        b" folded\r\n",
        b": empty\r\n",
        b"\r\n",
        b"\n",
        b"abcd",
        b"4\r\nabcd\r\n0\r\n\r\n",
        b"\x00",
        b"\xff\r\n",
        b"Host: a\r\n",
    ]
)


@thorough
@given(st.lists(PIECES, max_size=8).map(b"".join))
def test_any_bytes_are_answered_as_by_twisted_web_alone(data: bytes) -> None:
    # A body of one byte that has not come yet is not common: twisted.web has the connection.
    to_twisted = b"POST /up HTTP/1.1\r\nHost: a\r\nTE: x\r\nContent-Length: 1\r\n\r\n"
    with running(Settings(apps=(APP,), max_body_bytes=MOST)) as relay:
        ours, plain = relay.line(), relay.line()
        for line, *first in ((ours, request("GET", "/up")), (plain, to_twisted, b"x")):
            for piece in first:  # past the front door, which waits for the end of a head
                line.send(piece)
            relay.turn()
            assert statuses(line)
            line.send(data)
        relay.turn()
        assert statuses(ours) == statuses(plain)
        assert ours.is_open == plain.is_open


BODY = event("room", "x" * 20)
#: By then the relay's clock stands: what was signed when the tests began is too old in the end.
SIGNED_AT = 1_700_000_000
TARGET = signed_target("POST", f"/apps/{APP.id}/events", BODY, signed_at=SIGNED_AT)
REQUESTS = st.sampled_from(
    [
        request("GET", "/up"),
        request("GET", "/nowhere?a=b"),
        request("HEAD", "/up"),
        request("OPTIONS", "/up", Origin="https://a.example"),
        request("POST", TARGET, BODY),
        request("POST", TARGET, BODY, TE="trailers"),
        request("POST", TARGET, BODY[:-1] + b" "),
        request("POST", TARGET, Transfer_Encoding="chunked")
        + b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:]),
        request("POST", "/up", b"x" * (MOST + 1)),
        request("POST", "/up", Content_Length="3", Expect="100-continue") + b"abc",
        request("GET", "/up", Connection="close"),
        b"GET /up HTTP/1.0\r\n\r\n",
    ]
)


@thorough
@given(
    st.lists(st.one_of(REQUESTS, REQUESTS, PIECES, st.binary(max_size=12)), max_size=6).map(
        b"".join
    ),
    st.lists(st.integers(1, 400), max_size=5),
)
def test_any_bytes_however_cut_are_answered_as_by_twisted_web_alone(
    data: bytes, cuts: list[int]
) -> None:
    """From the front door on."""
    if data.startswith(TLS_HANDSHAKE):
        return
    data += b"\r\n\r\n"  # or the front door would wait for it, where twisted.web may complain
    with (
        patch("wsrelay.service.time.time", lambda: SIGNED_AT),
        running(Settings(apps=(APP,), max_body_bytes=MOST)) as relay,
    ):
        ours, plain = relay.line(), alone_with_twisted(relay)
        for line, edges in ((plain, []), (ours, sorted({cut for cut in cuts if cut < len(data)}))):
            for start, end in zip([0, *edges], [*edges, None], strict=True):
                line.send(data[start:end])
                relay.turn()
        assert answers(ours) == answers(plain)
        assert ours.is_open == plain.is_open


def alone_with_twisted(relay: Server) -> Line:
    """A connection that is twisted.web's from the first byte on."""
    line = relay.line()
    line.protocol._deadline.cancel()
    line.protocol = relay.service._doors.front.web.slow.buildProtocol(line.getPeer())
    line.protocol.makeConnection(line)
    return line


def answers(line: Line) -> list[tuple[bytes, bytes]]:
    """Status and body of each."""
    found = []
    for each in line.read().split(b"HTTP/1.1 ")[1:]:
        head, _, body = each.partition(b"\r\n\r\n")
        found.append((head[:3], body))
    return found


def statuses(line: Line) -> list[bytes]:
    return [each[:3] for each in line.read().split(b"HTTP/1.1 ")[1:]]
