"""What waits for a client: written once a turn, in order, bounded, and at nobody else's expense."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from tests.memory import FULL, Server, handshake, running
from tests.visitor import Visitor
from tests.websocket.frames import CLOSE, PING, PONG, frame, read_frames, say
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App, Secret
from wsrelay.core.frame import Frame
from wsrelay.core.notices import ConnectionClosed, Tally
from wsrelay.core.rules import Newest, Rule
from wsrelay.websocket.outbox import PIECE, Outbox, Turn

#: The smallest bound that can be configured, so that it is soon crossed.
MOST_WAITING = 64 * 1024
#: A public room, in which all may whisper: nothing to sign.
ROOM = "room"


@pytest.fixture
def relay() -> Iterator[Server]:
    app = App(
        id="1001",
        key="a-key",
        secret=Secret("a-secret"),
        client_events="all",
        client_event_rate=0,
    )
    with running(Settings(apps=(app,), max_waiting_bytes=MOST_WAITING)) as server:
        yield server


def whisper(speaker: Visitor, number: int, size: int = 0) -> None:
    """A client event with a number, and ``size`` bytes besides."""
    speaker.line.send(say("client-told", channel=ROOM, data=f"{number} ".ljust(size, ".")))


def numbers(listener: Visitor) -> list[int]:
    return [int(told["data"].split()[0]) for told in listener.take()]


# -- once a turn -----------------------------------------------------------------------------


def test_many_talkers_cost_a_listener_one_write_a_turn(relay: Server) -> None:
    listener = relay.guest(ROOM)
    talkers = [relay.guest(ROOM) for _ in range(25)]
    writes = listener.line.writes
    for number, talker in enumerate(talkers):
        whisper(talker, number)
    assert listener.line.writes == writes
    relay.turn()
    assert numbers(listener) == list(range(25))
    assert listener.line.writes == writes + 1


def test_events_errors_pongs_and_the_close_frame_keep_their_order(relay: Server) -> None:
    speaker, listener = relay.guest(ROOM), relay.guest(ROOM)
    whisper(speaker, 1)
    listener.line.send(frame(b"first", PING))
    whisper(speaker, 2)
    listener.line.send(say("pusher:ping") + frame(b"second", PING))
    whisper(speaker, 3)
    listener.line.send(frame(b"\x03\xe8", CLOSE))
    relay.reactor.advance(0)
    sent = read_frames(listener.line.read())
    assert [
        each.payload if each.opcode == PONG else json.loads(each.payload)["event"]
        for each in sent[:-1]
    ] == ["client-told", b"first", "client-told", "pusher:pong", b"second", "client-told"]
    assert sent[-1].opcode == CLOSE


def test_the_reactor_has_its_turn_while_a_great_hall_is_served(relay: Server) -> None:
    speaker = relay.guest(ROOM)
    hall = [relay.line() for _ in range(1100)]
    for line in hall:
        line.send(handshake() + say("pusher:subscribe", data={"channel": ROOM}))
    relay.turn()
    for line in hall:
        line.read()
    served: list[int] = []
    whisper(speaker, 1)
    relay.reactor.callLater(0, lambda: served.append(sum(bool(line.read()) for line in hall)))
    relay.reactor.advance(0)
    assert 0 < served[0] < len(hall)
    assert served[0] + sum(bool(line.read()) for line in hall) == len(hall)


def test_a_frame_of_many_receivers_is_the_same_on_every_wire(relay: Server) -> None:
    speaker = relay.guest(ROOM)
    listeners = [relay.guest(ROOM) for _ in range(3)]
    whisper(speaker, 1, 300)
    relay.reactor.advance(0)
    first, *others = [listener.line.read() for listener in listeners]
    assert len(read_frames(first)) == 1
    assert others == [first, first]


# -- the slow reader -------------------------------------------------------------------------


def test_a_reader_who_pauses_gets_everything_in_order_when_he_reads_again(relay: Server) -> None:
    speaker, bystander, sleeper = relay.guest(ROOM), relay.guest(ROOM), relay.guest(ROOM)
    sleeper.line.is_read = False
    for number in range(12):
        whisper(speaker, number, 8000)
        relay.turn()
        assert numbers(bystander) == [number]
    assert sleeper.take() == []
    sleeper.line.catch_up()
    relay.turn()
    assert numbers(sleeper) == list(range(12))
    whisper(speaker, 12)
    relay.turn()
    assert numbers(sleeper) == [12]
    assert relay.service.tally.slow_readers_closed == 0


def test_a_burst_of_one_turn_that_fills_the_transport_arrives_whole(relay: Server) -> None:
    speaker, sleeper = relay.guest(ROOM), relay.guest(ROOM)
    sleeper.line.is_read = False
    for number in range(12):
        whisper(speaker, number, 9000)
    relay.turn()
    sleeper.line.catch_up()
    relay.turn()
    assert numbers(sleeper) == list(range(12))


def test_a_burst_larger_than_one_write_is_read_whole_or_held_in_order() -> None:
    app = App(id="1001", key="a-key", secret=Secret("a-secret"), client_events="all")
    app = replace(app, client_event_rate=0)
    with running(Settings(apps=(app,), max_waiting_bytes=16 * MOST_WAITING)) as relay:
        speaker, bystander, sleeper = relay.guest(ROOM), relay.guest(ROOM), relay.guest(ROOM)
        sleeper.line.is_read = False
        for number in range(70):
            whisper(speaker, number, 9000)
        relay.turn()
        assert numbers(bystander) == list(range(70))
        assert sleeper.line.unread_bytes < 70 * 9000
        sleeper.line.catch_up()
        relay.turn()
        assert numbers(sleeper) == list(range(70))


def fill(relay: Server, speaker: Visitor, sleeper: Visitor) -> int:
    """Whisper until the sleeper's transport is full; the bytes of one such whisper."""
    sleeper.line.is_read = False
    while sleeper.line.unread_bytes <= FULL:
        before = sleeper.line.unread_bytes
        whisper(speaker, 0, 8000)
        relay.turn()
    return sleeper.line.unread_bytes - before


def test_a_reader_is_closed_only_when_more_than_the_bound_waits(relay: Server) -> None:
    speaker, bystander, sleeper = relay.guest(ROOM), relay.guest(ROOM), relay.guest(ROOM)
    size = fill(relay, speaker, sleeper)
    bystander.take()
    within = MOST_WAITING // size
    for number in range(within):
        whisper(speaker, number, 8000)
        relay.turn()
    assert relay.service.tally.slow_readers_closed == 0
    whisper(speaker, within, 8000)
    relay.turn()
    assert relay.service.tally.slow_readers_closed == 1
    assert numbers(bystander) == list(range(within + 1))


def test_a_slow_reader_is_told_4100_when_he_reads_after_all(relay: Server) -> None:
    speaker, sleeper = relay.guest(ROOM), relay.guest(ROOM)
    sleeper.line.is_read = False
    for number in range(30):
        whisper(speaker, number, 8000)
        relay.turn()
    sleeper.line.catch_up()
    relay.turn()
    heard = numbers(sleeper)
    assert heard == list(range(len(heard)))
    assert sleeper.farewell is not None
    code, reason = sleeper.farewell
    assert code == 4100
    assert reason is not None
    assert "max_waiting_bytes" in reason
    assert not sleeper.line.is_open


def test_a_slow_reader_who_never_reads_is_cut_off_and_counted_once(relay: Server) -> None:
    speaker, bystander, sleeper = relay.guest(ROOM), relay.guest(ROOM), relay.guest(ROOM)
    sleeper.line.is_read = False
    for number in range(100):
        whisper(speaker, number, 8000)
        relay.turn()
    assert relay.service.tally.slow_readers_closed == 1
    assert sleeper.line.unread_bytes < FULL + MOST_WAITING
    relay.advance(6)
    assert not sleeper.line.is_open
    assert numbers(bystander) == list(range(100))
    assert bystander.farewell is None


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the log is told by a relay that starts after this."""
    notices: list[object] = []
    monkeypatch.setattr("wsrelay.service.log_connection", notices.append)
    return notices


def test_a_client_who_does_not_answer_a_close_frame_is_reported_with_what_it_said(
    noticed: list[object], relay: Server
) -> None:
    speaker, sleeper = relay.guest(ROOM), relay.guest(ROOM)
    sleeper.line.is_read = False
    for number in range(30):
        whisper(speaker, number, 8000)
        relay.turn()
    relay.advance(6)
    [closed] = [notice for notice in noticed if isinstance(notice, ConnectionClosed)]
    assert closed.code == 4100
    assert "max_waiting_bytes" in closed.reason


def test_bytes_that_wait_for_a_connection_that_goes_are_forgotten(relay: Server) -> None:
    speaker, sleeper = relay.guest(ROOM), relay.guest(ROOM)
    fill(relay, speaker, sleeper)
    whisper(speaker, 1, 8000)
    relay.turn()
    whisper(speaker, 2)
    sleeper.line.hang_up()
    relay.turn()
    whisper(speaker, 3)
    relay.turn()
    assert speaker.line.is_open
    assert relay.service.relay.hub.subscription_count("1001", ROOM) == 1


# -- what is counted -----------------------------------------------------------------------


def test_every_byte_that_is_written_is_counted_once(relay: Server) -> None:
    speaker, sleeper = relay.guest(ROOM), relay.guest(ROOM)
    before, unread = relay.service.tally.bytes_out, sleeper.line.unread_bytes
    arrived = []
    sleeper.line.on_arrival = lambda: arrived.append(len(sleeper.line.read()))
    for number in range(5):
        whisper(speaker, number, 8000)
        whisper(speaker, number, 8000)
        relay.turn()
    assert unread == 0
    assert relay.service.tally.bytes_out - before == sum(arrived) > 80_000


def test_every_byte_that_was_held_is_counted_when_it_is_written(relay: Server) -> None:
    speaker, sleeper = relay.guest(ROOM), relay.guest(ROOM)
    tally = relay.service.tally
    before = tally.bytes_out
    sleeper.line.is_read = False
    for number in range(12):
        whisper(speaker, number, 8000)
        relay.turn()
    assert tally.bytes_out - before == sleeper.line.unread_bytes
    assert tally.held_readers == 1
    assert tally.bytes_out - before + tally.held_bytes > 12 * 8000
    total = tally.bytes_out - before + tally.held_bytes
    sleeper.line.catch_up()
    relay.turn()
    assert tally.bytes_out - before == total
    assert (tally.held_readers, tally.held_bytes) == (0, 0)


def test_nothing_counts_as_held_for_one_who_was_closed_or_has_gone(relay: Server) -> None:
    speaker, slow, gone = relay.guest(ROOM), relay.guest(ROOM), relay.guest(ROOM)
    tally = relay.service.tally
    slow.line.is_read = gone.line.is_read = False
    for number in range(10):
        whisper(speaker, number, 8000)
        relay.turn()
    assert tally.held_readers == 2
    gone.line.hang_up()
    relay.turn()
    assert tally.held_readers == 1
    for number in range(30):
        whisper(speaker, number, 8000)
        relay.turn()
    assert tally.slow_readers_closed == 1
    assert tally.held_bytes < 128, "his farewell"
    relay.advance(6)
    assert (tally.held_readers, tally.held_bytes) == (0, 0)


# -- newest only -----------------------------------------------------------------------------

#: A room where of each one's moves only the newest matters, and where all may whisper.
OFFICE = "office"
TICK = 1 / 20


@pytest.fixture
def office() -> Iterator[Server]:
    rule = Rule(channels=OFFICE, newest=Newest(events=("client-move",), rate=20))
    app = App(
        id="1001",
        key="a-key",
        secret=Secret("a-secret"),
        client_events="all",
        client_event_rate=0,
        rules=(rule,),
    )
    with running(Settings(apps=(app,), max_waiting_bytes=MOST_WAITING)) as server:
        yield server


def sleeper_in(office: Server, speaker: Visitor) -> Visitor:
    """Somebody in the office who reads no more, and whose transport is full."""
    sleeper = office.guest(OFFICE)
    sleeper.line.is_read = False
    while sleeper.line.unread_bytes <= FULL:
        said = say("client-told", channel=OFFICE, data=secrets.token_hex(4000))
        speaker.line.send(said)
        office.turn()
    return sleeper


def moves(speaker: Visitor, number: int) -> None:
    speaker.line.send(say("client-move", channel=OFFICE, data=number))


def heard(listener: Visitor) -> list[tuple[str, str]]:
    return [
        (message["event"], message["data"])
        for message in listener.take()
        if len(message["data"]) < 1000
    ]


def test_a_slow_reader_gets_the_newest_move_of_each_and_not_those_before(office: Server) -> None:
    ada, bob = office.guest(OFFICE), office.guest(OFFICE)
    sleeper = sleeper_in(office, ada)
    for number in range(100):
        moves(ada, number)
        moves(bob, 1000 + number)
        office.advance(TICK)
    sleeper.line.catch_up()
    office.turn()
    assert heard(sleeper) == [("client-move", "99"), ("client-move", "1099")]
    assert office.service.tally.frames_superseded == 198
    moves(ada, 100)
    office.turn()
    assert heard(sleeper) == [("client-move", "100")]


def test_a_move_overtakes_nothing_that_was_said_before_it(office: Server) -> None:
    ada = office.guest(OFFICE)
    sleeper = sleeper_in(office, ada)
    for number in range(3):
        moves(ada, number)
        ada.line.send(say("client-told", channel=OFFICE, data=f"told {number}"))
        office.advance(TICK)
    moves(ada, 3)
    office.advance(TICK)
    sleeper.line.catch_up()
    office.turn()
    assert heard(sleeper) == [
        ("client-told", "told 0"),
        ("client-told", "told 1"),
        ("client-told", "told 2"),
        ("client-move", "3"),
    ]


def test_what_was_said_in_the_same_turn_keeps_its_place(office: Server) -> None:
    ada = office.guest(OFFICE)
    sleeper = sleeper_in(office, ada)
    ada.line.send(
        say("client-told", channel=OFFICE, data="before")
        + say("client-move", channel=OFFICE, data=1)
        + say("client-told", channel=OFFICE, data="after")
    )
    office.turn()
    sleeper.line.catch_up()
    office.turn()
    assert [data for _, data in heard(sleeper)] == ["before", "1", "after"]


def test_moves_alone_never_close_a_slow_reader(office: Server) -> None:
    ada = office.guest(OFFICE)
    sleeper = sleeper_in(office, ada)
    for number in range(50):
        speaker = secrets.token_hex(3000)
        ada.line.send(say("client-move", channel=OFFICE, data=f"{number} {speaker}"))
        office.advance(TICK)
    assert office.service.tally.slow_readers_closed == 0
    sleeper.line.catch_up()
    office.turn()
    assert sleeper.farewell is None
    assert [message["data"].split()[0] for message in sleeper.take()][-1] == "49"


def test_who_is_closed_is_sent_no_move_after_the_close_frame(office: Server) -> None:
    ada = office.guest(OFFICE)
    sleeper = sleeper_in(office, ada)
    for _ in range(30):
        ada.line.send(say("client-told", channel=OFFICE, data=secrets.token_hex(4000)))
        moves(ada, 1)
        office.advance(TICK)
    assert office.service.tally.slow_readers_closed == 1
    sleeper.line.catch_up()
    office.turn()
    assert sleeper.farewell is not None
    assert sleeper.farewell[0] == 4100
    assert not sleeper.line.is_open


class NarrowTransport:
    """Is full again after each write."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.outbox: Outbox | None = None

    def write(self, data: bytes) -> None:
        self.written.append(data)
        assert self.outbox is not None
        self.outbox.pauseProducing()


def test_what_waits_for_a_narrow_transport_goes_a_piece_at_a_time_and_keeps_its_order() -> None:
    transport: Any = NarrowTransport()
    turn = Turn(lambda call: call)
    outbox = transport.outbox = Outbox("1.1", turn, transport, 10 * PIECE, Tally(), lambda *_: None)
    outbox.pauseProducing()
    slot = ("office", "client-move", "2.2")
    texts = [b"%d" % number + b"." * (PIECE // 3) for number in range(10)]
    outbox.send_newest(Frame(b"old move"), slot)
    for text in texts:
        outbox.send(Frame(text))
    outbox.send_newest(Frame(b"new move"), slot)
    resumed = 0
    while len(b"".join(transport.written)) < sum(map(len, texts)):
        outbox.resumeProducing()
        resumed += 1
    sent = read_frames(b"".join(transport.written))
    assert [each.payload for each in sent] == [*texts, b"new move"]
    assert resumed > 2
    assert all(len(data) < 2 * PIECE for data in transport.written)
    assert outbox._held_bytes == 0
