"""After a violation only the client's close frame counts, whatever else he goes on sending."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from tests.memory import Line, Server, handshake, running
from tests.signing import APP
from tests.websocket import frames
from tests.websocket.frames import BINARY, CLOSE, PING, TEXT, frame, read_frames
from wsrelay.config.settings import Settings

OFFER = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


@pytest.fixture
def relay() -> Iterator[Server]:
    with running(Settings(apps=(APP,), deflate=True)) as server:
        yield server


def opened(relay: Server) -> Line:
    line = relay.line()
    line.send(handshake(headers=OFFER))
    relay.turn()
    assert line.read().startswith(b"HTTP/1.1 101 ")
    return line


def endless(opcode: int, reserved_bits: int = 0) -> bytes:
    """The head of a frame of a terabyte."""
    head = bytes([0x80 | reserved_bits << 4 | opcode, 0xFF])
    return head + (1 << 40).to_bytes(8, "big") + b"mask"


def inflating_to(size: int) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(b" " * size) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


BEGINNINGS = {
    "an endless ping": (endless(PING), 1002),
    "an endless close frame": (endless(CLOSE), 1002),
    "an endless frame of a reserved kind": (endless(11), 1002),
    "an endless message": (endless(TEXT), 1009),
    "an endless compressed message": (endless(BINARY, reserved_bits=4), 1009),
    "what cannot be inflated": (frame(b"\xff" * 20, reserved_bits=4), 1007),
    "the beginning of what cannot be inflated": (
        frame(b"\xff" * 20000, reserved_bits=4)[:90],
        1007,
    ),
    "what is too much when inflated": (frame(inflating_to(10**7), reserved_bits=4), 1009),
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_nothing_piles_up_of_what_comes_after_a_violation(relay: Server, beginning: str) -> None:
    data, code = BEGINNINGS[beginning]
    line = opened(relay)
    line.send(data)
    relay.turn()
    chunk = b"\0" * 65536
    line.send(chunk)
    relay.turn()
    tracemalloc.start()
    try:
        for _ in range(100):
            line.send(chunk)
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert grown < 2 * len(chunk)
    farewell = read_frames(line.read())[-1]
    assert farewell.close_code == code
    relay.advance(6)
    assert not line.is_open


def test_nothing_piles_up_of_what_tls_delivers_after_the_connection_was_dropped(
    relay: Server,
) -> None:
    line = opened(relay)
    line.send(frames.close_frame(1000))
    assert line.disconnecting
    for _ in range(3):
        line.protocol.dataReceived(b"late")
    assert line.protocol.data == b""


@pytest.mark.parametrize("is_cut", [True, False])
@pytest.mark.parametrize(
    ("violation", "code"),
    [
        (frame(b"\xff" * 20, reserved_bits=4), 1007),
        (frame(b"\xff" * 20, reserved_bits=4, is_final=False), 1007),
        (frame(inflating_to(10**7), reserved_bits=4), 1009),
        (frame(b" " * 50_000), 1009),
    ],
)
def test_a_close_frame_after_a_violation_ends_the_connection_at_once(
    relay: Server, violation: bytes, code: int, is_cut: bool
) -> None:
    line = opened(relay)
    rest = frame(b"more") + frames.close_frame(code)
    if is_cut:
        line.send(violation)
        line.send(rest)
    else:
        line.send(violation + rest)
    relay.turn()
    assert read_frames(line.read())[-1].close_code == code
    assert not line.is_open
