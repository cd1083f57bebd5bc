"""One WebSocket connection, from the bytes of its handshake to those of its close frame."""

from __future__ import annotations

import json

import pytest

from tests.memory import Line, Server, handshake, running
from tests.signing import APP
from tests.websocket import frames
from tests.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Sent,
    frame,
    read_frames,
    say,
)
from wsrelay.config.settings import Settings

LONGEST = APP.max_event_bytes + 16 * 1024

PING_TEXT = b'{"event":"pusher:ping"}'
PONG_TEXT = b'{"event":"pusher:pong","data":{}}'


def opened(relay: Server) -> Line:
    """A connection whose handshake and welcome have been read."""
    line = relay.line()
    line.send(handshake())
    relay.turn()
    head, _, rest = line.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    [welcome] = read_frames(rest)
    assert json.loads(welcome.payload)["event"] == "pusher:connection_established"
    return line


def answers(relay: Server, line: Line, data: bytes) -> list[Sent]:
    """What the server sends in answer to ``data``."""
    line.send(data)
    relay.turn()
    return read_frames(line.read())


# -- the handshake -------------------------------------------------------------------------


def test_the_handshake_is_answered_as_rfc_6455_says(relay: Server) -> None:
    line = relay.line()
    line.send(handshake())
    relay.turn()
    status, *headers = line.read().partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert status.startswith("HTTP/1.1 101 ")
    assert {
        name.lower(): value.lower() for name, value in (header.split(": ") for header in headers)
    } == {
        "upgrade": "websocket",
        "connection": "upgrade",
        # Of the nonce in RFC 6455, 1.3.
        "sec-websocket-accept": "s3pplmbitxaq9kygzzhzrbk+xoo=",
    }


def test_the_first_subprotocol_that_is_offered_is_echoed(relay: Server) -> None:
    line = relay.line()
    line.send(handshake(headers=b"Sec-WebSocket-Protocol: chat, superchat\r\n"))
    relay.turn()
    assert b"\r\nSec-WebSocket-Protocol: chat\r\n" in line.read()


@pytest.mark.parametrize("origin", [b"null", b"https://page.example", b"file://"])
def test_which_origins_may_connect_is_not_autobahns_to_say(relay: Server, origin: bytes) -> None:
    line = relay.line()
    line.send(handshake(headers=b"Origin: " + origin + b"\r\n"))
    relay.turn()
    assert line.read().startswith(b"HTTP/1.1 101 ")


def test_the_key_in_the_path_is_unescaped(relay: Server) -> None:
    line = relay.line()
    line.send(handshake(key="a%2Dkey"))
    relay.turn()
    assert b"pusher:connection_established" in line.read()


def test_frames_that_come_with_the_handshake_are_read(relay: Server) -> None:
    line = relay.line()
    line.send(handshake() + frame(PING_TEXT) + frame(b"hi", PING))
    relay.turn()
    _, *rest = read_frames(line.read().partition(b"\r\n\r\n")[2])
    assert rest == [Sent(TEXT, PONG_TEXT), Sent(PONG, b"hi")]


@pytest.mark.parametrize(
    ("good", "bad", "status"),
    [
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12", b"400"),
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: new", b"400"),
        (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"X-Key: none", b"400"),
        (b"Upgrade: websocket", b"Upgrade: h2c", b"400"),
        (b"Connection: Upgrade", b"Connection: close", b"400"),
        (b"HTTP/1.1", b"HTTP/1.0", b"505"),
        (b"Host: 127.0.0.1:6001", b"Host: 127.0.0.1:door", b"400"),
    ],
)
def test_a_bad_handshake_is_refused_with_a_status(
    relay: Server, good: bytes, bad: bytes, status: bytes
) -> None:
    line = relay.line()
    request = handshake()
    assert good in request
    line.send(request.replace(good, bad))
    relay.turn()
    assert line.read().startswith(b"HTTP/1.1 " + status)
    assert not line.is_open


def test_a_path_prefix_is_part_of_the_address() -> None:
    with running(Settings(apps=(APP,), path_prefix="/realtime")) as relay:
        visitor = relay.visitor(f"/realtime/app/{APP.key}")
        assert visitor.messages[0]["event"] == "pusher:connection_established"
        line = relay.line()
        line.send(handshake())
        relay.turn()
        assert line.read().startswith(b"HTTP/1.1 404 ")


def test_who_is_refused_is_told_why_in_band_and_closed_with_the_same_code(relay: Server) -> None:
    stranger = relay.visitor("/app/unknown-key?protocol=7")
    [error] = stranger.take()
    assert error["event"] == "pusher:error"
    assert error["data"]["code"] == 4001
    assert "unknown-key" in error["data"]["message"]
    assert stranger.farewell == (4001, error["data"]["message"])
    assert not stranger.line.is_open


# -- frames and messages -------------------------------------------------------------------


def test_a_message_may_come_in_fragments_with_a_ping_between_them(relay: Server) -> None:
    line = opened(relay)
    assert answers(
        relay,
        line,
        frame(PING_TEXT[:5], TEXT, is_final=False)
        + frame(b"still there?", PING)
        + frame(b"", CONTINUATION, is_final=False)
        + frame(PING_TEXT[5:], CONTINUATION),
    ) == [Sent(PONG, b"still there?"), Sent(TEXT, PONG_TEXT)]


def test_messages_are_the_same_however_their_bytes_are_cut(relay: Server) -> None:
    stream = (
        frame(PING_TEXT)
        + frame(PING_TEXT + b" " * 126, mask=b"\xff\x00\xff\x00")
        + frame(b"x" * 125, PING)
        + frame(PING_TEXT)
    )
    expected = [
        Sent(TEXT, PONG_TEXT),
        Sent(TEXT, PONG_TEXT),
        Sent(PONG, b"x" * 125),
        Sent(TEXT, PONG_TEXT),
    ]
    for cut in range(1, len(stream)):
        line = opened(relay)
        line.send(stream[:cut])
        assert answers(relay, line, stream[cut:]) == expected, cut
        line.hang_up()
    line = opened(relay)
    for byte in stream:
        line.send(bytes([byte]))
    assert answers(relay, line, b"") == expected


def test_a_message_of_64_kilobytes_is_read() -> None:
    app = APP.__class__(id="1", key="a-key", secret=APP.secret, max_event_bytes=100_000)
    with running(Settings(apps=(app,))) as relay:
        line = opened(relay)
        assert answers(relay, line, frame(PING_TEXT + b" " * 70_000)) == [Sent(TEXT, PONG_TEXT)]


def test_a_binary_message_is_told_to_be_one_and_the_connection_stays(relay: Server) -> None:
    line = opened(relay)
    error, pong = answers(relay, line, frame(PING_TEXT, BINARY) + frame(PING_TEXT))
    told = json.loads(error.payload)
    assert told["event"] == "pusher:error"
    assert told["data"]["code"] == 4300
    assert "binary" in told["data"]["message"]
    assert pong.payload == PONG_TEXT


def test_text_that_is_not_ascii_arrives(relay: Server) -> None:
    speaker, listener = relay.guest("private-room"), relay.guest("private-room")
    speaker.whisper("private-room", "Grüße, 世界 🌍")
    relay.turn()
    [heard] = listener.take()
    assert heard["data"] == "Grüße, 世界 🌍"


def test_a_message_of_the_greatest_size_is_read_and_one_byte_more_is_closed_with_1009(
    relay: Server,
) -> None:
    line = opened(relay)
    assert answers(relay, line, frame(PING_TEXT.ljust(LONGEST))) == [Sent(TEXT, PONG_TEXT)]
    [farewell] = answers(relay, line, frame(PING_TEXT.ljust(LONGEST + 1)))
    assert farewell.close_code == 1009


def test_a_message_that_is_too_large_in_sum_is_closed_with_1009(relay: Server) -> None:
    line = opened(relay)
    piece = b" " * (LONGEST // 2)
    [farewell] = answers(
        relay,
        line,
        frame(piece, TEXT, is_final=False)
        + frame(piece, CONTINUATION, is_final=False)
        + frame(b"  ", CONTINUATION),
    )
    assert farewell.close_code == 1009


def test_an_oversize_frame_is_refused_by_its_head_before_its_body_has_come(relay: Server) -> None:
    line = opened(relay)
    [farewell] = answers(relay, line, frame(b"x" * (1 << 20))[:14])
    assert farewell.close_code == 1009


VIOLATIONS = {
    "a frame without mask": (frame(PING_TEXT, mask=None), 1002),
    "a reserved bit": (frame(PING_TEXT, reserved_bits=4), 1002),
    "a reserved opcode": (frame(PING_TEXT, 3), 1002),
    "a reserved control opcode": (frame(b"", 11), 1002),
    "a fragmented ping": (frame(b"", PING, is_final=False), 1002),
    "a ping of 126 bytes": (frame(b"x" * 126, PING), 1002),
    "a continuation of nothing": (frame(PING_TEXT, CONTINUATION), 1002),
    "a new message inside a message": (
        frame(b"{", TEXT, is_final=False) + frame(PING_TEXT),
        1002,
    ),
    "a length in two bytes that fits in one": (frame(b"x" * 125, length_bytes=2), 1002),
    "a length in eight bytes that fits in two": (frame(b"x" * 200, length_bytes=8), 1002),
    "invalid UTF-8": (frame(b"\xff\xfe"), 1007),
    "invalid UTF-8 over two fragments": (
        frame(b"\xc3", TEXT, is_final=False) + frame(b"(", CONTINUATION),
        1007,
    ),
    "UTF-8 that ends within a character": (frame(b"\xe4\xb8"), 1007),
    "an encoded surrogate": (frame(b'"\xed\xa0\x80"'), 1007),
    "a close frame of one byte": (frame(b"\x03", CLOSE), 1002),
    "a close code that must not be sent": (frames.close_frame(1005), 1002),
    "an unknown close code": (frames.close_frame(2999), 1002),
    "a close reason in invalid UTF-8": (frames.close_frame(1000, b"\xff"), 1007),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_violation_is_answered_with_its_close_code_after_what_came_before(
    relay: Server, violation: str
) -> None:
    data, code = VIOLATIONS[violation]
    bystander = relay.guest("private-room")
    line = opened(relay)
    pong, farewell = answers(relay, line, frame(PING_TEXT) + data)
    assert pong.payload == PONG_TEXT
    assert farewell.close_code == code
    line.send(frames.close_frame(code))
    relay.turn()
    assert not line.is_open
    assert bystander.take() == []
    assert bystander.farewell is None


def test_who_does_not_answer_a_close_frame_is_cut_off(relay: Server) -> None:
    line = opened(relay)
    [farewell] = answers(relay, line, frame(PING_TEXT, 3))
    assert farewell.close_code == 1002
    relay.advance(3.9)
    assert line.is_open
    relay.advance(1.2)
    assert not line.is_open


# -- closing -------------------------------------------------------------------------------


def test_a_close_frame_is_answered_and_the_connection_closed(relay: Server) -> None:
    line = opened(relay)
    [farewell] = answers(relay, line, frames.close_frame(1000, b"bye"))
    assert farewell.close_code == 1000
    assert not line.is_open
    assert not line.was_aborted


def test_an_empty_close_frame_is_answered(relay: Server) -> None:
    line = opened(relay)
    [farewell] = answers(relay, line, frame(b"", CLOSE))
    assert farewell.opcode == CLOSE
    assert not line.is_open


def test_what_was_queued_arrives_before_the_answer_to_a_close_frame(relay: Server) -> None:
    line = opened(relay)
    pong, farewell = answers(relay, line, frame(PING_TEXT) + frames.close_frame(1000))
    assert pong.payload == PONG_TEXT
    assert farewell.opcode == CLOSE


def test_what_comes_after_a_close_frame_is_not_acted_upon(relay: Server) -> None:
    listener = relay.guest("private-room")
    speaker = relay.guest("private-room")
    speaker.line.send(
        frames.close_frame(1000) + say("client-late", channel="private-room", data="{}")
    )
    relay.turn()
    assert listener.take() == []


def malformed(times: int) -> bytes:
    return frame(b"{nope") * times


def test_a_close_frame_comes_after_what_was_queued(relay: Server) -> None:
    line = opened(relay)
    *errors, farewell = answers(relay, line, malformed(20))
    assert {json.loads(error.payload)["event"] for error in errors} == {"pusher:error"}
    assert len(errors) == 20
    assert json.loads(errors[-1].payload)["data"]["code"] == 4100
    assert farewell.close_code == 4100


def test_nothing_follows_a_close_frame(relay: Server) -> None:
    speaker = relay.guest("private-room")
    listener = relay.guest("private-room")
    listener.line.send(malformed(20))
    speaker.whisper("private-room", "he does not hear this")
    relay.reactor.advance(0)
    sent = read_frames(listener.line.read())
    assert [each.opcode for each in sent].index(CLOSE) == len(sent) - 1
    speaker.whisper("private-room", "nor this")
    relay.reactor.advance(0)
    assert read_frames(listener.line.read()) == []


def test_whoever_has_been_told_goodbye_is_not_listened_to(relay: Server) -> None:
    listener = relay.guest("private-room")
    speaker = relay.guest("private-room")
    late = say("client-late", channel="private-room", data="{}")
    speaker.line.send(malformed(20) + late + malformed(3))
    speaker.line.send(late)
    relay.reactor.advance(0)
    sent = read_frames(speaker.line.read())
    assert [each.opcode for each in sent] == [TEXT] * 20 + [CLOSE]
    relay.turn()
    assert listener.take() == []


def test_a_connection_that_goes_without_a_word_leaves_its_channels(relay: Server) -> None:
    listener = relay.guest()
    listener.subscribe("presence-room", '{"user_id":"ada"}')
    leaver = relay.guest()
    leaver.subscribe("presence-room", '{"user_id":"bob"}')
    relay.turn()
    leaver.line.hang_up()
    relay.turn()
    assert [told["event"] for told in listener.take()] == [
        "pusher_internal:subscription_succeeded",
        "pusher_internal:member_added",
        "pusher_internal:member_removed",
    ]


# -- what is counted -------------------------------------------------------------------------


def test_every_byte_that_a_client_sends_is_counted(relay: Server) -> None:
    line = opened(relay)
    answers(relay, line, frame(PING_TEXT))
    assert relay.service.tally.bytes_in == len(handshake()) + len(frame(PING_TEXT))


def test_handshakes_that_fail_are_counted_and_those_that_end_in_a_refusal_are_not(
    relay: Server,
) -> None:
    opened(relay).hang_up()
    line = relay.line()
    line.send(handshake(key="nobody"))
    relay.turn()
    line.hang_up()
    relay.turn()
    assert relay.service.tally.handshakes_failed == 0
    line = relay.line()
    line.send(handshake().replace(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 7"))
    relay.turn()
    line.hang_up()
    relay.turn()
    assert relay.service.tally.handshakes_failed == 1
