"""The echo: where it is, and that it says back what it is told, however long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.memory import Line, Server, handshake, running
from tests.signing import APP
from tests.websocket.frames import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Sent,
    close_frame,
    compressed,
    frame,
    inflated,
    read_frames,
)
from wsrelay.config.settings import Settings

LONGEST = 16 * 1024 * 1024


@pytest.fixture
def relay() -> Iterator[Server]:
    with running(Settings(apps=(APP,), echo_path="/echo", deflate=True)) as server:
        yield server


def answer(relay: Server, path: str, headers: bytes = b"") -> tuple[Line, int]:
    """A connection to that path, and the status of the answer."""
    line = relay.line()
    line.send(handshake(headers=headers).replace(b"/app/a-key?protocol=7", path.encode()))
    relay.turn()
    return line, int(line.read().split(b" ", 2)[1])


def opened(relay: Server, headers: bytes = b"") -> Line:
    line, status = answer(relay, "/echo", headers)
    assert status == 101
    return line


def echoes(relay: Server, line: Line, data: bytes) -> list[Sent]:
    line.send(data)
    relay.turn()
    return read_frames(line.read())


def test_nothing_echoes_unless_the_operator_wants_it() -> None:
    with running() as relay:
        assert answer(relay, "/echo")[1] == 404


@pytest.mark.parametrize("path", ["/echoes", "/echo/", "/ech"])
def test_it_is_at_its_path_and_nowhere_else(relay: Server, path: str) -> None:
    assert answer(relay, path)[1] == 404


@pytest.mark.parametrize("path", ["/echo", "/echo?agent=suite"])
def test_a_query_is_nothing_to_it(relay: Server, path: str) -> None:
    assert answer(relay, path)[1] == 101


def test_a_path_prefix_stands_in_front_of_it() -> None:
    settings = Settings(apps=(APP,), path_prefix="/realtime", echo_path="/echo")
    with running(settings) as relay:
        assert answer(relay, "/echo")[1] == 404
        assert answer(relay, "/realtime/echo")[1] == 101


@pytest.mark.parametrize("payload", [b"", b"hello", "Grüße".encode(), b"x" * 70_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_comes_back_as_it_was(relay: Server, opcode: int, payload: bytes) -> None:
    line = opened(relay)
    assert echoes(relay, line, frame(payload, opcode)) == [Sent(opcode, payload)]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fragments_come_back_as_one_message(relay: Server, opcode: int) -> None:
    line = opened(relay)
    assert echoes(
        relay,
        line,
        frame(b"one", opcode, is_final=False) + frame(b"?", PING) + frame(b" two", CONTINUATION),
    ) == [Sent(PONG, b"?"), Sent(opcode, b"one two")]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_what_came_compressed_comes_back_compressed(relay: Server, opcode: int) -> None:
    line = opened(relay, b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
    payload = b"again and " * 100
    [sent] = echoes(relay, line, frame(compressed(payload), opcode, reserved_bits=4))
    assert (sent.opcode, sent.is_compressed) == (opcode, True)
    assert inflated(sent.payload) == payload


def test_messages_of_16_mib_come_back_to_a_client_who_takes_his_time(relay: Server) -> None:
    line = opened(relay)
    line.is_read = False
    message = frame(b"x" * LONGEST, BINARY, mask=b"\0\0\0\0")
    for start in range(0, len(message), 65536):
        line.send(message[start : start + 65536])
    line.send(frame(b"done"))
    relay.turn()
    line.catch_up()
    first, last = read_frames(line.read())
    assert first == Sent(BINARY, b"x" * LONGEST)
    assert last == Sent(TEXT, b"done")


def test_a_longer_message_is_closed_with_1009_by_its_head(relay: Server) -> None:
    head = b"\x82\xff" + (LONGEST + 1).to_bytes(8, "big") + b"mask"
    [farewell] = echoes(relay, opened(relay), head)
    assert farewell.close_code == 1009


def test_only_the_echo_takes_such_messages(relay: Server) -> None:
    line, status = relay.line(), handshake()
    line.send(status)
    relay.turn()
    line.read()
    [farewell] = echoes(relay, line, b"\x81\xff" + (100_000).to_bytes(8, "big") + b"mask")
    assert farewell.close_code == 1009


def test_a_close_frame_is_answered_with_its_own_code(relay: Server) -> None:
    line = opened(relay)
    [farewell] = echoes(relay, line, close_frame(1000))
    assert farewell.close_code == 1000
    assert not line.is_open


def test_a_silent_client_is_closed_with_4201_as_everybody_is(relay: Server) -> None:
    line = opened(relay)
    for _ in range(30):
        relay.advance(5)
    *_, farewell = read_frames(line.read())
    assert farewell.close_code == 4201
    assert not line.is_open
