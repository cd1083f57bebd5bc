"""Frames against Autobahn's own, as the judge of what is on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.xormasker import create_xor_masker
from hypothesis import given
from hypothesis import strategies as st

from tests.memory import Line, Server, handshake, running
from tests.properties import thorough
from tests.signing import APP
from tests.visitor import visitors
from tests.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Sent,
    compressed,
    frame,
    read_frames,
)
from wsrelay.config.settings import Settings
from wsrelay.core.frame import Frame
from wsrelay.websocket.deflate import agreed
from wsrelay.websocket.wire import data_frame, unmask, wire_of

#: Bytes of a message, in the servers compared below.
LONGEST = 26 * 1024

LENGTHS = [0, 1, 125, 126, 127, 65535, 65536, 100_000]


# -- outgoing --------------------------------------------------------------------------------


def sent_by_autobahn(payload: bytes) -> bytes:
    """The frame that Autobahn's server sends for a text message."""
    factory = WebSocketServerFactory(reactor=object())
    protocol = WebSocketServerProtocol()
    protocol.factory = factory
    line = Line(None, 1)
    protocol.makeConnection(line)
    protocol.sendFrame(opcode=TEXT, payload=payload)
    return line.read()


@pytest.fixture(autouse=True)
def _no_timers_on_the_real_reactor() -> Any:
    with running():
        yield


@pytest.mark.parametrize("length", LENGTHS)
def test_a_text_frame_is_the_one_that_autobahn_sends(length: int) -> None:
    payload = bytes(ord("a") + i % 26 for i in range(length))
    assert data_frame(payload) == sent_by_autobahn(payload)


def test_a_frames_bytes_are_built_once_however_many_receive_it() -> None:
    published = Frame(b'{"event":"told"}')
    assert wire_of(published) is wire_of(published)
    assert wire_of(published) == data_frame(published.payload)


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_unmasking_is_autobahns(payload: bytes, key: bytes) -> None:
    assert unmask(payload, key) == create_xor_masker(key, len(payload)).process(payload)


# -- incoming: the same as through Autobahn alone --------------------------------------------

Heard = list[tuple[str, bytes]]


class Recorder:
    """A session that only writes down what it is told."""

    def __init__(self) -> None:
        self.heard: Heard = []

    def open(self, hello: object) -> None:
        pass

    def receive(self, payload: bytes) -> None:
        self.heard.append(("text", bytes(payload)))

    def refuse_binary(self) -> None:
        self.heard.append(("binary", b""))

    def lost(self, code: int, reason: str) -> None:
        self.heard.append(("lost", b""))


class PlainProtocol(WebSocketServerProtocol):
    """Autobahn's server as it is."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.heard.append(("binary", b"") if isBinary else ("text", payload))

    def onClose(self, *_: object) -> None:
        self.heard.append(("lost", b""))


def plain_line(relay: Server, headers: bytes) -> tuple[Line, Heard]:
    """An open connection to Autobahn's server with the relay's options."""
    factory = WebSocketServerFactory(reactor=relay.reactor)
    factory.setProtocolOptions(
        failByDrop=False,
        maxMessagePayloadSize=LONGEST,
        maxFramePayloadSize=LONGEST,
        perMessageCompressionAccept=agreed,
    )
    factory.server = None
    protocol = PlainProtocol()
    protocol.factory = factory
    protocol.heard = []
    line = Line(relay.reactor, 1)
    line.protocol = protocol
    protocol.makeConnection(line)
    line.send(handshake(headers=headers))
    return line, protocol.heard


def relay_line(relay: Server, headers: bytes = b"") -> tuple[Line, Heard]:
    """An open connection to the relay, with a session that only listens."""
    session = Recorder()
    relay.service.websocket.new_session = lambda door, peer: session  # type: ignore[assignment]
    line = relay.line()
    line.send(handshake(headers=headers))
    return line, session.heard


def masks() -> st.SearchStrategy[bytes]:
    return st.sampled_from([b"\0\0\0\0", b"\x11\x22\x33\x44", b"\xff\xfe\x80\x01"])


#: Payloads around the borders of lengths and of UTF-8.
GOOD = st.sampled_from(
    [b"", b"a", b"{}", "é世🌍".encode(), b"x" * 125, b"x" * 126, "é".encode() * 70, b"x" * 300]
)
BAD = st.sampled_from(
    [b"\xff", b"ok\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"x" * (LONGEST + 1)]
)
FRAME = st.builds(
    frame,
    GOOD,
    st.sampled_from([TEXT, TEXT, TEXT, BINARY, PING, PONG]),
    mask=masks(),
)
FRAGMENT = st.builds(
    frame,
    GOOD,
    st.sampled_from([TEXT, TEXT, BINARY, CONTINUATION, CONTINUATION, CONTINUATION]),
    is_final=st.booleans(),
    mask=masks(),
)
CHARACTER_IN_TWO = st.just(frame(b"\xc3", TEXT, is_final=False) + frame(b"\xa9", CONTINUATION))
VIOLATION = st.one_of(
    st.builds(frame, BAD, mask=masks()),
    st.builds(frame, GOOD, st.sampled_from([3, 11, TEXT]), reserved_bits=st.sampled_from([0, 4])),
    st.builds(frame, GOOD, mask=st.none()),
    st.builds(frame, st.just(b"x" * 20), length_bytes=st.sampled_from([2, 8]), mask=masks()),
    st.builds(frame, st.sampled_from([b"", b"\x03\xe8bye", b"\x03", b"\x0b\xb7"]), st.just(CLOSE)),
    st.binary(max_size=20),
)

#: A stretch of bytes and where it is cut: at its end, and where a frame's head may end.
STRETCHES = st.tuples(
    st.one_of(FRAME, FRAME, FRAME, FRAGMENT, FRAGMENT, CHARACTER_IN_TWO, VIOLATION),
    st.one_of(
        st.just([]),
        st.just([]),
        st.lists(st.sampled_from([1, 2, 3, 4, 6, 7, 8, 9, 14, 130]), max_size=2),
    ),
    st.booleans(),
)


def chunks(stretches: list[tuple[bytes, list[int], bool]]) -> list[bytes]:
    """The bytes of all stretches, as they arrive."""
    stream, cuts = b"", {0}
    for data, inside, is_cut_after in stretches:
        cuts.update(len(stream) + cut for cut in inside if cut < len(data))
        stream += data
        if is_cut_after:
            cuts.add(len(stream))
    starts = sorted(cuts)
    return [stream[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def check_that_both_agree(arriving: Iterable[bytes], offer: bytes = b"") -> None:
    with running(Settings(apps=(APP,), deflate=True)) as relay:
        lines = [plain_line(relay, offer), relay_line(relay, offer)]
        for line, _ in lines:
            for chunk in arriving:
                line.send(chunk)
        relay.turn()
        (plain, expected), (ours, heard) = lines
        sent = ours.read()
        assert sent == plain.read()
        if offer and is_failed(sent):
            # After a fault Autobahn goes on inflating, and may stay in a message at fault.
            heard, expected = without_losses(heard), without_losses(expected)
        else:
            assert ours.is_open == plain.is_open
        assert heard == expected


def is_failed(sent: bytes) -> bool:
    """Whether the client was told of a violation."""
    *_, last = read_frames(sent.partition(b"\r\n\r\n")[2]) or [Sent(TEXT, b"")]
    return last.opcode == CLOSE and last.close_code in (1002, 1007, 1009)


def without_losses(heard: Heard) -> Heard:
    return [each for each in heard if each[0] != "lost"]


@thorough
@given(st.lists(STRETCHES, max_size=6).map(chunks))
def test_any_bytes_however_cut_mean_what_they_mean_to_autobahn(arriving: list[bytes]) -> None:
    check_that_both_agree(arriving)


OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

COMPRESSED = st.builds(
    frame,
    st.one_of(GOOD, BAD).map(compressed),
    st.sampled_from([TEXT, TEXT, BINARY]),
    is_final=st.sampled_from([True, True, True, False]),
    reserved_bits=st.just(4),
    mask=masks(),
)
COMPRESSED_IN_TWO = st.builds(
    lambda payload, cut: (
        frame(compressed(payload)[:cut], reserved_bits=4, is_final=False)
        + frame(compressed(payload)[cut:], CONTINUATION)
    ),
    GOOD,
    st.integers(0, 9),
)
NOT_COMPRESSED = st.builds(frame, GOOD, st.sampled_from([TEXT, PING]), reserved_bits=st.just(4))


@thorough
@given(
    st.lists(
        st.tuples(
            st.one_of(COMPRESSED, COMPRESSED, COMPRESSED_IN_TWO, FRAME, FRAGMENT, NOT_COMPRESSED),
            st.lists(st.integers(1, 40), max_size=2),
            st.booleans(),
        ),
        max_size=6,
    ).map(chunks)
)
def test_any_compressed_bytes_mean_what_they_mean_to_autobahn(arriving: list[bytes]) -> None:
    check_that_both_agree(arriving, OFFER)


GREETING = "Grüße, 世界 🌍".encode() * 12
#: Frames of every kind.
STREAM = (
    frame(GREETING)
    + frame(b"there?", PING)
    + frame(GREETING[:100], is_final=False)
    + frame(b"here", PONG)
    + frame(GREETING[100:], CONTINUATION)
    + frame(b"", BINARY)
    + frame(b"x" * 126)
    + frame(b"\x03\xe8bye", CLOSE)
)
SHORTER = compressed(GREETING)
COMPRESSED_STREAM = (
    frame(SHORTER, reserved_bits=4)
    + frame(SHORTER[:9], reserved_bits=4, is_final=False)
    + frame(b"there?", PING)
    + frame(SHORTER[9:], CONTINUATION)
    + STREAM
)


@pytest.mark.parametrize(
    ("stream", "offer"), [(STREAM, b""), (COMPRESSED_STREAM, OFFER)], ids=["plain", "compressed"]
)
def test_frames_mean_the_same_at_whatever_byte_they_are_cut(stream: bytes, offer: bytes) -> None:
    def told(*arriving: bytes) -> tuple[Heard, bytes, bool]:
        line, heard = relay_line(relay, offer)
        for chunk in arriving:
            line.send(chunk)
        relay.turn()
        return heard, line.read(), line.is_open

    check_that_both_agree([stream], offer)
    with running(Settings(apps=(APP,), deflate=True)) as relay:
        whole = told(stream)
        assert len(whole[0]) >= 5
        for cut in range(1, len(stream)):
            assert told(stream[:cut], stream[cut:]) == whole, cut
        assert told(*(stream[at : at + 1] for at in range(len(stream)))) == whole


PIECES = (
    frame(b"whole"),
    frame(b"begun", TEXT, is_final=False),
    frame(b"more", CONTINUATION, is_final=False),
    frame(b"done", CONTINUATION),
    frame(b"ping", PING),
    frame(b"data", BINARY),
    frame(b"bye", CLOSE)[:7],
    frame(b"half")[:1],
    frame(b"half")[:8],
)


@pytest.mark.parametrize("first", PIECES)
def test_in_whatever_state_it_arrives_a_frame_means_what_it_means_to_autobahn(
    first: bytes,
) -> None:
    for rest in product(PIECES, repeat=2):
        check_that_both_agree([first, *rest])


def test_autobahns_own_client_is_understood() -> None:
    with running() as relay:
        line, heard = relay_line(relay)
        client = visitors(relay.reactor).buildProtocol(None)
        sending = Line(relay.reactor, 2)
        client.makeConnection(sending)
        sending.read()
        for length in LENGTHS[:-3]:
            client.sendFrame(opcode=TEXT, payload=b"x" * length)
        line.send(sending.read())
        assert heard == [("text", b"x" * length) for length in LENGTHS[:-3]]
