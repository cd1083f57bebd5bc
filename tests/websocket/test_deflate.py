"""permessage-deflate: agreed upon, compressed once for all, and never more than may be."""

from __future__ import annotations

import json
import random
import secrets
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import tests.properties  # noqa: F401  (how many examples)
import wsrelay.websocket.deflate
from tests.memory import FULL, Line, Server, handshake, running
from tests.signing import APP
from tests.websocket.frames import (
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Sent,
    compressed,
    frame,
    inflated,
    read_frames,
    say,
)
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App
from wsrelay.core.frame import Frame
from wsrelay.core.rules import Newest, Rule
from wsrelay.websocket.deflate import SMALL, agreed, deflated

LONGEST = APP.max_event_bytes + 16 * 1024
PING_TEXT = b'{"event":"pusher:ping"}'
PONG_TEXT = b'{"event":"pusher:pong","data":{}}'
ROOM = "room"

#: As browsers write it.
OFFER = "permessage-deflate; client_max_window_bits"
NO_TAKEOVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


@pytest.fixture
def relay() -> Iterator[Server]:
    app = App(id=APP.id, key=APP.key, secret=APP.secret, client_events="all", client_event_rate=0)
    with running(Settings(apps=(app,), deflate=True)) as server:
        yield server


def shaken(relay: Server, offer: str | None) -> tuple[Line, str | None]:
    """A connection that offered this, and what was agreed upon."""
    line = relay.line()
    line.send(
        handshake(headers=f"Sec-WebSocket-Extensions: {offer}\r\n".encode() if offer else b"")
    )
    relay.turn()
    head, _, _ = line.read().decode("latin-1").partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 101 ")
    name = "\r\nSec-WebSocket-Extensions: "
    return line, head.partition(name)[2].partition("\r\n")[0] if name in head else None


def opened(relay: Server, offer: str | None = OFFER) -> Line:
    line, agreed = shaken(relay, offer)
    assert (agreed is None) == (offer is None)
    return line


def answers(relay: Server, line: Line, data: bytes) -> list[Sent]:
    line.send(data)
    relay.turn()
    return read_frames(line.read())


def plain(sent: Sent, window: int = 15) -> Sent:
    """What a client reads in it."""
    payload = inflated(sent.payload, window) if sent.is_compressed else sent.payload
    return Sent(sent.opcode, payload)


# -- what is agreed upon ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        (OFFER, NO_TAKEOVER),
        ("permessage-deflate", NO_TAKEOVER),
        ("permessage-deflate; server_no_context_takeover", NO_TAKEOVER),
        ("permessage-deflate; client_no_context_takeover", NO_TAKEOVER),
        ("permessage-deflate; client_max_window_bits=10", NO_TAKEOVER),
        (
            "permessage-deflate; server_max_window_bits=9",
            f"{NO_TAKEOVER}; server_max_window_bits=9",
        ),
        (
            'permessage-deflate; server_max_window_bits="12"',
            f"{NO_TAKEOVER}; server_max_window_bits=12",
        ),
        ("x-webkit-deflate-frame, permessage-deflate", NO_TAKEOVER),
        # Declined, and not a reason to refuse the handshake (RFC 7692, 7).
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; unheard_of", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", None),
        ("permessage-deflate; unheard_of, permessage-deflate", NO_TAKEOVER),
        ("permessage-brotli; what, permessage-bzip2", None),
    ],
)
def test_the_first_offer_that_can_be_taken_is_taken_without_context_takeover(
    relay: Server, offer: str, agreed: str | None
) -> None:
    assert shaken(relay, offer)[1] == agreed


def test_of_offers_that_cannot_be_taken_none_is() -> None:
    assert agreed([]) is None
    assert agreed([object()]) is None


@pytest.mark.parametrize("headers", [b"", b"Sec-WebSocket-Protocol: chat\r\n"])
def test_nothing_is_agreed_upon_unless_the_operator_wants_it(headers: bytes) -> None:
    with running() as relay:
        line = relay.line()
        line.send(handshake(headers=b"Sec-WebSocket-Extensions: permessage-deflate\r\n" + headers))
        relay.turn()
        assert b"Extensions" not in line.read()


def test_the_welcome_is_the_first_that_comes_compressed(relay: Server) -> None:
    line = relay.line()
    line.send(handshake(headers=f"Sec-WebSocket-Extensions: {OFFER}\r\n".encode()))
    relay.turn()
    [welcome] = read_frames(line.read().partition(b"\r\n\r\n")[2])
    assert welcome.is_compressed
    assert json.loads(plain(welcome).payload)["event"] == "pusher:connection_established"


#: Half a kilobyte that does not get shorter.
NOISE = random.Random(1).randbytes(500)


# -- going out -------------------------------------------------------------------------------


@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(bytes.__mul__, st.binary(min_size=1, max_size=40), st.integers(0, 2000)),
        st.sampled_from([b"", b"x" * SMALL, b"x" * (SMALL + 1), NOISE + b"-" * 3000 + NOISE]),
    ),
    st.integers(9, 15),
)
def test_whatever_is_compressed_reads_as_it_was_through_the_window_that_was_agreed_upon(
    payload: bytes, window: int
) -> None:
    [sent] = read_frames(deflated(Frame(payload), window))
    assert sent.is_compressed
    assert plain(sent, window) == Sent(TEXT, payload)


def test_a_message_of_any_size_up_to_small_is_seen_whole_through_the_small_window() -> None:
    """The same noise at both ends is said once: the compressor still sees the first."""
    payload = NOISE + b"-" * (SMALL - 2 * len(NOISE)) + NOISE
    assert len(payload) == SMALL
    once = deflated(Frame(payload[: -len(NOISE)]), 15)
    assert len(deflated(Frame(payload), 15)) < len(once) + 20


def test_a_frame_is_compressed_once_for_a_window() -> None:
    published = Frame(b'{"event":"told"}')
    assert deflated(published, 15) is deflated(published, 15)
    assert deflated(published, 9) is deflated(published, 9)


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What has been compressed."""
    found: list[bytes] = []
    compress = wsrelay.websocket.deflate._compressed

    def noted(payload: bytes, window: int) -> bytes:
        found.append(payload)
        return compress(payload, window)

    monkeypatch.setattr(wsrelay.websocket.deflate, "_compressed", noted)
    return found


def test_an_event_is_compressed_once_however_many_receive_it(
    relay: Server, compressions: list[bytes]
) -> None:
    speaker, old = relay.guest(ROOM), opened(relay, None)
    listeners = [opened(relay) for _ in range(20)]
    narrow = opened(relay, "permessage-deflate; server_max_window_bits=9")
    for line in (old, narrow, *listeners):
        [joined] = answers(relay, line, say("pusher:subscribe", data={"channel": ROOM}))
        assert json.loads(plain(joined).payload)["channel"] == ROOM
    compressions.clear()
    speaker.whisper(ROOM, "there " * 50)
    relay.turn()
    assert len(compressions) == 2, "one for each window"
    first, *others = [line.read() for line in listeners]
    assert others == [first] * 19
    [told], [narrowly], [plainly] = map(read_frames, (first, narrow.read(), old.read()))
    assert plain(told) == plain(narrowly, 9) == plainly
    assert told.is_compressed
    assert len(told.payload) < len(plainly.payload) / 3


def test_pings_and_close_frames_are_never_compressed(relay: Server) -> None:
    line = opened(relay)
    assert answers(relay, line, frame(b"x" * 100, PING)) == [Sent(PONG, b"x" * 100)]
    *errors, farewell = answers(relay, line, frame(b"{nope") * 20)
    assert all(error.is_compressed for error in errors)
    assert farewell.close_code == 4100


def test_a_slow_reader_is_measured_by_what_is_really_sent(relay: Server) -> None:
    speaker, sleeper = relay.guest(ROOM), opened(relay)
    answers(relay, sleeper, say("pusher:subscribe", data={"channel": ROOM}))
    sleeper.is_read = False
    for _ in range(200):
        speaker.whisper(ROOM, "x" * 9000)
        relay.turn()
    assert relay.service.tally.slow_readers_closed == 0
    assert sleeper.unread_bytes < 200 * 200


def test_of_moves_only_the_newest_waits_for_a_slow_reader_compressed() -> None:
    rule = Rule(channels=ROOM, newest=Newest(events=("client-move",)))
    app = App(id=APP.id, key=APP.key, secret=APP.secret, client_events="all", client_event_rate=0)
    with running(Settings(apps=(replace(app, rules=(rule,)),), deflate=True)) as relay:
        speaker, sleeper = relay.guest(ROOM), opened(relay)
        answers(relay, sleeper, say("pusher:subscribe", data={"channel": ROOM}))
        sleeper.is_read = False
        while sleeper.unread_bytes <= FULL:
            speaker.whisper(ROOM, secrets.token_hex(4000))
            relay.turn()
        for number in range(10):
            speaker.whisper(ROOM, number, "client-move")
            relay.advance(0.05)
        sleeper.catch_up()
        relay.turn()
        *_, last = sent = read_frames(sleeper.read())
        told = [json.loads(plain(each).payload) for each in sent]
        assert [each["data"] for each in told if each["event"] == "client-move"] == ["9"]
        assert last.is_compressed


# -- coming in -------------------------------------------------------------------------------


def test_a_compressed_message_is_read_and_a_plain_one_as_well(relay: Server) -> None:
    line = opened(relay)
    sent = answers(
        relay, line, frame(compressed(PING_TEXT), reserved_bits=4) * 2 + frame(PING_TEXT)
    )
    assert [plain(each) for each in sent] == [Sent(TEXT, PONG_TEXT)] * 3


def test_a_compressed_message_may_come_in_fragments_with_a_ping_between_them(
    relay: Server,
) -> None:
    line = opened(relay)
    data = compressed(PING_TEXT)
    pong, answer = answers(
        relay,
        line,
        frame(data[:5], reserved_bits=4, is_final=False)
        + frame(b"still there?", PING)
        + frame(data[5:], CONTINUATION),
    )
    assert pong == Sent(PONG, b"still there?")
    assert plain(answer) == Sent(TEXT, PONG_TEXT)


def test_a_compressed_message_of_the_greatest_size_is_read_and_one_byte_more_closed_with_1009(
    relay: Server,
) -> None:
    line = opened(relay)
    data = compressed(PING_TEXT.ljust(LONGEST))
    [pong] = answers(relay, line, frame(data, reserved_bits=4))
    assert plain(pong) == Sent(TEXT, PONG_TEXT)
    data = compressed(PING_TEXT.ljust(LONGEST + 1))
    [farewell] = answers(relay, line, frame(data, reserved_bits=4))
    assert farewell.close_code == 1009


@pytest.mark.parametrize("pieces", [1, 2, 40])
def test_a_bomb_is_never_inflated_beyond_the_greatest_size(relay: Server, pieces: int) -> None:
    bomb = compressed(b" " * 20_000_000)
    assert len(bomb) < LONGEST, "or its head alone would be refused"
    size = -(-len(bomb) // pieces)
    parts = [bomb[start : start + size] for start in range(0, len(bomb), size)]
    stream = b"".join(
        frame(
            part,
            CONTINUATION if number else TEXT,
            reserved_bits=0 if number else 4,
            is_final=number == len(parts) - 1,
        )
        for number, part in enumerate(parts)
    )
    line = opened(relay)
    tracemalloc.start()
    try:
        line.send(stream)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    relay.turn()
    [farewell] = read_frames(line.read())
    assert farewell.close_code == 1009
    assert peak < 10 * LONGEST


def test_what_cannot_be_inflated_is_closed_with_1007(relay: Server) -> None:
    line = opened(relay)
    [farewell] = answers(relay, line, frame(b"\xff" * 20, reserved_bits=4))
    assert farewell.close_code == 1007


def test_the_extension_bit_is_a_violation_where_nothing_was_agreed_upon(relay: Server) -> None:
    line = opened(relay, None)
    [farewell] = answers(relay, line, frame(compressed(PING_TEXT), reserved_bits=4))
    assert farewell.close_code == 1002


def test_a_client_costs_no_compressor_and_no_inflater_once_its_message_is_read(
    relay: Server,
) -> None:
    lines = [opened(relay) for _ in range(20)]
    ping = frame(compressed(PING_TEXT.ljust(5000)), reserved_bits=4)
    tracemalloc.start()
    try:
        for line in lines:
            line.send(ping)
        relay.turn()
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert all(line.read() for line in lines)
    assert grown < 20 * 3000
