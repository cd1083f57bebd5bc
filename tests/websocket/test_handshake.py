"""wsrelay.websocket.handshake"""

from __future__ import annotations

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from hypothesis import given
from hypothesis import strategies as st

import tests.properties  # noqa: F401  (how many examples)
from tests.memory import Line, running
from wsrelay.websocket.handshake import Handshake, response, take_handshake

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
LINES = [
    b"GET /app/key?protocol=7 HTTP/1.1",
    b"Host: 127.0.0.1:6001",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Key: " + KEY,
    b"Sec-WebSocket-Version: 13",
]


def request(*lines: bytes) -> bytes:
    return b"\r\n".join([*(lines or LINES), b"", b""])


def answer_of_autobahn(data: bytes) -> bytes:
    """What Autobahn's own server answers to a handshake."""
    with running() as relay:
        factory = WebSocketServerFactory(reactor=relay.reactor)
        factory.server = None
        protocol = WebSocketServerProtocol()
        protocol.factory = factory
        line = Line(relay.reactor, 1)
        line.protocol = protocol
        protocol.makeConnection(line)
        line.send(data)
        return line.read()


def take(data: bytes) -> tuple[Handshake, int] | None:
    return take_handshake(data, takes_extensions=False)


def test_the_common_handshake_is_read_to_its_end() -> None:
    data = request(*LINES, b"Origin: https://example.org")
    wanted = Handshake("/app/key?protocol=7", "https://example.org", KEY)
    assert take(data + b"\x81\x00") == (wanted, len(data))


def test_the_proof_is_that_of_the_rfc() -> None:
    """The example of RFC 6455, 1.3."""
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in response(KEY)


@pytest.mark.parametrize("length", range(len(request())))
def test_a_head_that_is_not_whole_is_not_taken(length: int) -> None:
    assert take(request()[:length]) is None


@pytest.mark.parametrize(
    ("common", "other"),
    [
        (b"GET ", b"POST "),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"/app/key", b"http://127.0.0.1/app/key"),
        (b"protocol=7", b"protocol=7#there"),
        (b"127.0.0.1:6001", b"127.0.0.1:66000"),
        (b"127.0.0.1:6001", b"[::1]:6001"),
        (b"Host: 127.0.0.1:6001", b"X: y"),
        (b"Upgrade: websocket", b"Upgrade: h2c"),
        (b"Connection: Upgrade", b"Connection: close"),
        (b"Version: 13", b"Version: 8"),
        (KEY, KEY[:-1]),
        (KEY, b"?" + KEY[1:]),
        (b"Host:", b"Host: other\r\nHost:"),
        (b"Host:", b" folded\r\nHost:"),
        (b"Host:", b"no colon\r\nHost:"),
        (b"Host:", b"Sec-WebSocket-Protocol: chat\r\nHost:"),
        (b"Host:", b"Content-Length: 3\r\nHost:"),
        (b"Host:", "Origin: https://ö.example\r\nHost:".encode()),
    ],
)
def test_what_is_not_common_is_left_to_autobahn(common: bytes, other: bytes) -> None:
    assert common in request()
    assert take(request().replace(common, other, 1)) is None


def test_offered_extensions_are_autobahns_where_they_may_be_taken() -> None:
    data = request(*LINES, b"Sec-WebSocket-Extensions: permessage-deflate")
    assert take(data) is not None
    assert take_handshake(data, takes_extensions=True) is None


spelled = st.sampled_from(
    [
        *LINES[1:],
        b"Connection: keep-alive, Upgrade",
        b"connection:upgrade",
        b"UPGRADE:  WebSocket ",
        b"Upgrade: h2c, websocket",
        b"Host: example.org",
        b"Origin: null",
        b"Origin: https://example.org",
        b"Sec-WebSocket-Version: 8",
        b"Sec-WebSocket-Protocol: chat",
        b"Sec-WebSocket-Key: " + KEY[:-1],
        b"X-Forwarded-For: 192.0.2.1",
        b"User-Agent: a b",
    ]
)


@given(st.permutations(LINES[1:]), st.lists(spelled, max_size=4), st.integers(0, 4))
def test_whatever_is_taken_is_answered_as_autobahn_answers_it(
    lines: list[bytes], more: list[bytes], left_out: int
) -> None:
    data = request(LINES[0], *lines[left_out // 2 :], *more)
    taken = take(data)
    if taken is None:
        return
    assert answer_of_autobahn(data) == response(taken[0].key)
