"""wsrelay.rules.snapshot: who joins is told where everybody is."""

from __future__ import annotations

import pytest

from tests.doubles import Heard
from tests.pusher.relayed import Relayed
from tests.rules.office import (
    OFFICE,
    NewOffice,
    Office,
    Person,
    an_office,
    heard_of,
    move,
    people,
    places,
    spoken,
)
from wsrelay.core.frame import Frame
from wsrelay.core.notices import Tally
from wsrelay.core.rules import Newest, Proximity
from wsrelay.rules import snapshot
from wsrelay.rules.snapshot import Snapshot

MOVES = Newest(events=("client-move", "client-status"), rate=20)
SLOT = (OFFICE, "client-move", "1.1")


@pytest.fixture
def office(new_office: NewOffice) -> Office:
    return new_office(newest=MOVES, snapshot=True)


@pytest.fixture
def alone() -> Relayed:
    return an_office(newest=MOVES, snapshot=True)


def joining(office: Office, name: str) -> tuple[Person, list[Heard]]:
    client = office.connect()
    client.join(OFFICE, name)
    return client, client.heard()


def test_a_newcomer_is_told_the_newest_of_everybody_right_after_the_success(
    office: Office,
) -> None:
    ada, bob = people(office, "ada", "bob")
    for x in range(3):
        move(ada, x)
        move(bob, 10 + x)
    office.clock.advance(1)
    _, heard = joining(office, "cyd")
    assert [message["event"] for message in heard] == [
        "pusher_internal:subscription_succeeded",
        "client-move",
        "client-move",
    ]
    assert [spoken(message) for message in heard[1:]] == [
        ("client-move", {"x": 2, "y": 0}, "ada"),
        ("client-move", {"x": 12, "y": 0}, "bob"),
    ]


def test_it_is_the_event_as_it_was_byte_for_byte(alone: Relayed) -> None:
    ada, bob = people(alone, "ada", "bob")
    move(ada, 1)
    heard = bob.door.frames[-1]
    cyd, _ = joining(alone, "cyd")
    assert cyd.door.frames[-1] is heard


def test_each_event_of_the_rule_is_remembered_and_no_other(office: Office) -> None:
    [ada] = people(office, "ada")
    ada.whisper(OFFICE, "busy", "client-status")
    ada.whisper(OFFICE, "hello", "client-chat")
    move(ada, 1)
    _, heard = joining(office, "bob")
    assert [message["event"] for message in heard[1:]] == ["client-status", "client-move"]


def test_who_has_left_is_forgotten(office: Office) -> None:
    ada, bob = people(office, "ada", "bob")
    move(ada, 1)
    move(bob, 2)
    ada.vanish()
    bob.unsubscribe(OFFICE)
    cyd = office.connect()
    cyd.join(OFFICE, "cyd")
    assert len(cyd.heard()) == 1


def test_a_user_is_remembered_until_his_last_tab_is_gone(office: Office) -> None:
    first, second, _ = people(office, "ada", "ada", "bob")
    move(first, 1)
    first.vanish()
    cyd, heard = joining(office, "cyd")
    assert len(heard) == 2
    cyd.vanish()
    second.vanish()
    _, heard = joining(office, "dan")
    assert len(heard) == 1


def test_of_two_tabs_the_last_one_to_move_is_where_the_user_is(office: Office) -> None:
    first, second, _ = people(office, "ada", "ada", "bob")
    move(first, 1)
    move(second, 2)
    _, heard = joining(office, "cyd")
    assert [spoken(message)[1]["x"] for message in heard[1:]] == [2]


def test_a_second_tab_is_told_where_its_own_user_is(office: Office) -> None:
    ada, _ = people(office, "ada", "bob")
    move(ada, 1)
    _, heard = joining(office, "ada")
    assert [spoken(message) for message in heard[1:]] == [("client-move", {"x": 1, "y": 0}, "ada")]


def test_without_the_rule_a_newcomer_is_told_nothing(new_office: NewOffice) -> None:
    office = new_office(newest=MOVES)
    ada, _ = people(office, "ada", "bob")
    move(ada, 1)
    _, heard = joining(office, "cyd")
    assert len(heard) == 1


def test_positions_of_proximity_are_remembered_too(new_office: NewOffice) -> None:
    office = new_office(proximity=Proximity(event="client-move", radius=1), snapshot=True)
    ada, bob = people(office, "ada", "bob")
    move(ada, 1000)
    assert places(bob) == [("ada", 1000)]
    cyd, heard = joining(office, "cyd")
    assert len(heard) == 2
    assert heard_of(cyd) == []


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapshot, "MOST_BYTES", 100)
    tally = Tally()
    remembered = Snapshot(tally)
    frames = [Frame(b"x" * 30) for _ in range(5)]
    for number, frame in enumerate(frames):
        remembered.remember(f"user{number}", "client-move", frame, SLOT)
    assert [frame for frame, _ in remembered] == frames[2:]
    assert tally.snapshots_cut == 2
    remembered.forget("user0")
    remembered.forget("user3")
    remembered.remember("user2", "client-move", frames[0], SLOT)
    assert [frame for frame, _ in remembered] == [frames[4], frames[0]]
    assert remembered._bytes == 60
