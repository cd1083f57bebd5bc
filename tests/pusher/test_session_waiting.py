"""wsrelay.pusher.session: what happens while an answer needs other nodes."""

from __future__ import annotations

import pytest

from tests.doubles import APP, Gate, an_app
from tests.pusher.relayed import (
    Client,
    Relayed,
    error,
    member_added,
    member_removed,
    said,
    snapshot,
    subscription_error,
    succeeded,
)
from wsrelay.core.errors import Code
from wsrelay.core.notices import ConnectionClosed, MemberAdded, MemberRemoved
from wsrelay.core.roster import Arrival
from wsrelay.core.users import GRACE
from wsrelay.pusher.session import MOST_WAITING

ROOM = "presence-room"
PONG = {"event": "pusher:pong", "data": {}}


@pytest.fixture
def gate(relayed: Relayed) -> Gate:
    """Where joins of presence channels wait."""
    relayed.presence.join_gate = gate = Gate()
    return gate


@pytest.fixture
def joining(relayed: Relayed, gate: Gate) -> Client:
    """Ada, whose join waits."""
    client = relayed.connect()
    client.join(ROOM, "ada")
    assert len(gate) == 1
    return client


def test_reading_pauses_while_a_join_waits_and_goes_on_afterwards(
    joining: Client, gate: Gate
) -> None:
    assert not joining.door.is_reading
    assert joining.heard() == []
    gate.open()
    assert joining.door.is_reading
    assert joining.heard() == [snapshot(ROOM, ada=None)]


def test_reading_goes_on_when_the_join_was_refused(relayed: Relayed, gate: Gate) -> None:
    client = relayed.connect()
    client.join(ROOM, "a" * 129)
    assert client.door.is_reading
    client.join(ROOM, "ada")
    gate.open()
    assert client.door.is_reading


def test_what_is_said_meanwhile_waits_and_is_judged_in_order(
    relayed: Relayed, joining: Client, gate: Gate
) -> None:
    neighbour = relayed.connect()
    neighbour.subscribe("private-room")
    neighbour.heard()
    joining.says({"event": "pusher:ping"})
    joining.subscribe("private-room")
    joining.whisper("private-room", "1")
    joining.unsubscribe("private-room")
    joining.whisper("private-room", "2")
    assert joining.heard() == neighbour.heard() == []
    gate.open()
    assert joining.heard() == [
        snapshot(ROOM, ada=None),
        PONG,
        succeeded("private-room"),
        error(
            4301,
            "not subscribed to private-room: subscribe before sending client events",
        ),
    ]
    assert neighbour.heard() == [said("private-room", "1")]


def test_a_second_join_that_waits_keeps_the_rest_waiting_and_pauses_but_once(
    joining: Client, gate: Gate
) -> None:
    joining.join("presence-hall", "ada")
    joining.says({"event": "pusher:ping"})
    gate.open()
    assert joining.heard() == [snapshot(ROOM, ada=None)]
    assert not joining.door.is_reading
    gate.open()
    assert joining.heard() == [snapshot("presence-hall", ada=None), PONG]
    assert joining.door.is_reading


def test_a_whisper_right_behind_a_join_is_passed_on(
    relayed: Relayed, joining: Client, gate: Gate
) -> None:
    gate.open()
    bob = relayed.connect()
    bob.join(ROOM, "bob")
    bob.whisper(ROOM, "hello")
    joining.heard()
    gate.open()
    assert joining.heard() == [member_added(ROOM, "bob"), said(ROOM, "hello", "bob")]


def test_binary_is_refused_at_once_while_a_join_waits(joining: Client) -> None:
    joining.session.refuse_binary()
    assert joining.heard() == [error(4300, "binary frames are not read: send text")]


def test_as_many_messages_may_wait_as_the_limit_and_one_more_ends_it(
    joining: Client, gate: Gate
) -> None:
    for _ in range(MOST_WAITING):
        joining.says('{"event":"pusher:ping"}')
    assert joining.closed is None
    joining.says('{"event":"pusher:ping"}')
    assert joining.closed is Code.OVER_CAPACITY
    assert joining.heard() == [error(4100, "more than 4096 messages are waiting")]
    joining.says('{"event":"pusher:ping"}')
    gate.open()
    assert PONG not in joining.heard()


def test_a_thousand_subscribes_in_one_burst_all_succeed(
    relayed: Relayed, joining: Client, gate: Gate
) -> None:
    for number in range(1000):
        joining.subscribe(f"room-{number}")
    gate.open()
    assert joining.heard()[1:] == [succeeded(f"room-{number}") for number in range(1000)]
    assert joining.door.is_reading
    joining.vanish()
    relayed.assert_empty()


def test_the_joiner_hears_the_snapshot_first_and_then_of_those_who_come_later(
    relayed: Relayed, joining: Client, gate: Gate
) -> None:
    bob = relayed.connect()
    bob.join(ROOM, "bob")
    gate.let_pass(1)  # bob, who came second, is in first
    assert bob.heard() == [snapshot(ROOM, bob=None)]
    assert joining.heard() == []
    gate.open()
    assert joining.heard() == [snapshot(ROOM, bob=None, ada=None)]
    assert bob.heard() == [member_added(ROOM, "ada")]


def test_a_channel_that_filled_up_while_a_join_waited_is_refused(gate: Gate) -> None:
    relayed = Relayed(an_app(max_presence_members=1))
    relayed.presence.join_gate = gate
    ada, bob = relayed.connect(), relayed.connect()
    ada.join(ROOM, "ada")
    bob.join(ROOM, "bob")
    gate.open()
    assert bob.heard() == [
        subscription_error(
            ROOM, 403, "LimitReached", "the channel has 1 members, its limit (max_presence_members)"
        )
    ]
    assert bob.door.is_reading
    ada.vanish()
    bob.vanish()
    relayed.assert_empty()


# -- going while an answer is waited for -------------------------------------------------------


def test_a_connection_lost_while_its_join_waits_leaves_no_trace(
    relayed: Relayed, joining: Client, gate: Gate
) -> None:
    joining.subscribe("room")
    joining.vanish()
    assert relayed.connections.count(APP.id) == 0
    gate.open()
    assert len(relayed.notices.of(ConnectionClosed)) == 1
    relayed.assert_empty()


def test_others_hear_of_a_member_who_was_lost_while_joining_that_he_is_gone_again(
    relayed: Relayed, joining: Client, gate: Gate
) -> None:
    relayed.presence.join_gate = None
    bob = relayed.connect()
    bob.join(ROOM, "bob")
    bob.heard()
    joining.vanish()
    gate.open()
    assert bob.heard() == [member_added(ROOM, "ada"), member_removed(ROOM, "ada")]
    assert relayed.members(ROOM) == ["bob"]
    assert len(relayed.notices.of(MemberAdded)) == 2
    assert len(relayed.notices.of(MemberRemoved)) == 1


def test_what_was_joined_before_is_left_too_when_a_join_waits(relayed: Relayed, gate: Gate) -> None:
    client = relayed.connect()
    client.subscribe("room")
    client.sign_in("42")
    client.join(ROOM, "ada")
    client.vanish()
    gate.open()
    relayed.assert_empty()


def test_a_farewell_while_a_join_waits_reads_on_for_the_clients_own(
    relayed: Relayed, joining: Client, gate: Gate
) -> None:
    joining.subscribe("room")
    joining.session.close(Code.RECONNECT_NOW, "the server is stopping")
    assert joining.door.is_reading
    assert joining.heard() == [error(4200, "the server is stopping")]
    gate.open()
    assert succeeded("room") not in joining.heard()
    joining.vanish()
    relayed.assert_empty()


def test_a_connection_lost_between_its_farewell_and_the_answer_leaves_no_trace(
    relayed: Relayed, gate: Gate
) -> None:
    client = relayed.connect()
    client.subscribe("room")
    client.sign_in("42")
    client.join(ROOM, "ada")
    client.session.close(Code.RECONNECT_NOW, "the server is stopping")
    client.vanish()
    gate.open()
    relayed.assert_empty()


@pytest.mark.parametrize("is_closed_first", [False, True])
def test_a_connection_lost_while_its_sign_in_waits_leaves_no_trace(
    relayed: Relayed, is_closed_first: bool
) -> None:
    client = relayed.connect()
    relayed.bus.gate = gate = Gate()
    client.sign_in("42", watchlist=["7"])
    assert len(gate) == 1
    if is_closed_first:
        client.session.close(Code.RECONNECT_NOW, "the server is stopping")
    client.vanish()
    while len(gate):
        gate.open()
    relayed.clock.advance(GRACE)
    relayed.assert_empty()


def test_a_subscription_behind_a_sign_in_that_waits_knows_the_user(relayed: Relayed) -> None:
    client = relayed.connect()
    relayed.bus.gate = gate = Gate()
    client.sign_in("42")
    client.subscribe(ROOM)
    while len(gate):
        gate.open()
    assert client.heard()[1:] == [snapshot(ROOM, **{"42": None})]


def test_a_fault_of_ours_ends_one_join_and_not_the_conversation(
    relayed: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fault(*_: object) -> Arrival:
        await gate.passage()
        raise OSError("out of order")

    gate = Gate()
    client = relayed.connect()
    monkeypatch.setattr(relayed.presence, "join", fault)
    client.join(ROOM, "ada")
    client.says({"event": "pusher:ping"})
    gate.open()
    assert [failure.type for failure in relayed.tasks.failures] == [OSError]
    relayed.tasks.failures.clear()
    refused, pong = client.heard()
    assert (refused["event"], refused["data"]["status"]) == ("pusher:subscription_error", 500)
    assert pong == PONG
    assert client.door.is_reading
    client.vanish()
    relayed.assert_empty()


def test_a_leave_that_waits_keeps_the_rest_waiting(relayed: Relayed) -> None:
    client = relayed.connect()
    client.join(ROOM, "ada")
    client.heard()
    relayed.presence.leave_gate = gate = Gate()
    client.unsubscribe(ROOM)
    client.join(ROOM, "ada")
    assert client.heard() == []
    gate.open()
    assert client.heard() == [snapshot(ROOM, ada=None)]
    assert relayed.members(ROOM) == ["ada"]


def test_a_connection_lost_while_its_leave_waits_leaves_no_trace(relayed: Relayed) -> None:
    client, bob = relayed.connect(), relayed.connect()
    for one, name in ((client, "ada"), (bob, "bob")):
        one.join(ROOM, name)
        one.join("presence-hall", name)
    bob.heard()
    relayed.presence.leave_gate = gate = Gate()
    client.unsubscribe(ROOM)
    client.vanish()
    while len(gate):
        gate.open()
    assert sorted(message["channel"] for message in bob.heard()) == ["presence-hall", ROOM]
    relayed.presence.leave_gate = None
    bob.vanish()
    relayed.assert_empty()


def test_an_unsubscribe_behind_a_join_that_waits_undoes_it(
    relayed: Relayed, joining: Client, gate: Gate
) -> None:
    joining.unsubscribe(ROOM)
    gate.open()
    assert joining.heard() == [snapshot(ROOM, ada=None)]
    assert relayed.members(ROOM) == []


def test_a_connection_lost_while_a_snapshot_is_fetched_again_leaves_no_trace(
    relayed: Relayed,
) -> None:
    client = relayed.connect()
    client.join(ROOM, "ada")
    relayed.presence.members_gate = gate = Gate()
    client.join(ROOM, "ada")
    assert not client.door.is_reading
    client.vanish()
    gate.open()
    relayed.assert_empty()
