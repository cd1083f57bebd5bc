"""wsrelay.rules.newest: of one sender's moves only the newest leaves, a tick at a time."""

from __future__ import annotations

import pytest

from tests.pusher.relayed import Relayed, error
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
)
from wsrelay.core.rules import Newest
from wsrelay.rules.newest import MOST_EVENTS

TICK = 1 / 20
MOVES = Newest(events=("client-move", "client-position*"), rate=20)


@pytest.fixture
def office(new_office: NewOffice) -> Office:
    return new_office(newest=MOVES)


@pytest.fixture
def alone() -> Relayed:
    return an_office(newest=MOVES)


@pytest.fixture
def pair(office: Office) -> tuple[Person, Person]:
    ada, bob = people(office, "ada", "bob")
    return ada, bob


def test_the_first_move_leaves_at_once(pair: tuple[Person, Person]) -> None:
    ada, bob = pair
    move(ada, 1)
    assert places(bob) == [("ada", 1)]
    assert ada.heard() == []


def test_of_those_that_follow_within_a_tick_the_newest_leaves_when_it_ends(
    office: Office, pair: tuple[Person, Person]
) -> None:
    ada, bob = pair
    for x in range(10):
        move(ada, x)
    assert places(bob) == [("ada", 0)]
    office.clock.advance(TICK)
    assert places(bob) == [("ada", 9)]
    assert office.tally.client_events_superseded == 8
    assert office.tally.client_events == 2


def test_who_moves_all_the_time_is_heard_once_a_tick_and_his_last_move_always(
    office: Office, pair: tuple[Person, Person]
) -> None:
    ada, bob = pair
    for x in range(300):
        move(ada, x)
        office.clock.advance(0.0051)
    heard = places(bob)
    assert len(heard) <= 1.53 * 20 + 1
    assert len(heard) >= 1.53 * 20 - 1
    office.clock.advance(TICK)
    heard += places(bob)
    assert heard[-1] == ("ada", 299)
    assert heard == sorted(heard)


def test_a_move_is_never_older_than_a_tick_when_it_leaves(
    office: Office, pair: tuple[Person, Person]
) -> None:
    ada, bob = pair
    for number in range(200):
        move(ada, number)
        office.clock.advance(0.007)
        for _, x in places(bob):
            assert (number - x) * 0.007 <= TICK


def test_after_a_pause_the_first_move_leaves_at_once_again(
    office: Office, pair: tuple[Person, Person]
) -> None:
    ada, bob = pair
    move(ada, 1)
    office.clock.advance(TICK)
    move(ada, 2)
    assert places(bob) == [("ada", 1), ("ada", 2)]


def test_each_sender_and_each_event_has_a_turn_of_its_own(office: Office) -> None:
    ada, bob, cyd = people(office, "ada", "bob", "cyd")
    for number in range(3):
        move(ada, number)
        move(bob, 10 + number)
        ada.whisper(OFFICE, number, "client-position-of-desk")
    assert heard_of(cyd) == [
        ("client-move", {"x": 0, "y": 0}, "ada"),
        ("client-move", {"x": 10, "y": 0}, "bob"),
        ("client-position-of-desk", 0, "ada"),
    ]
    office.clock.advance(TICK)
    assert heard_of(cyd) == [
        ("client-move", {"x": 2, "y": 0}, "ada"),
        ("client-position-of-desk", 2, "ada"),
        ("client-move", {"x": 12, "y": 0}, "bob"),
    ]


def test_two_tabs_of_a_user_are_two_senders(office: Office) -> None:
    first, second, bob = people(office, "ada", "ada", "bob")
    move(first, 1)
    move(second, 2)
    assert places(bob) == [("ada", 1), ("ada", 2)]


def test_events_outside_the_rule_leave_at_once_and_in_order(
    office: Office, pair: tuple[Person, Person]
) -> None:
    ada, bob = pair
    for number in range(3):
        move(ada, number)
        ada.whisper(OFFICE, number, "client-typing")
    told = [data for event, data, _ in heard_of(bob) if event == "client-typing"]
    assert told == [0, 1, 2]


def test_channels_outside_the_pattern_are_untouched(office: Office) -> None:
    ada, bob = people(office, "ada", "bob", channel="presence-lounge.1")
    for x in range(10):
        move(ada, x, channel="presence-lounge.1")
    assert [x for _, x in places(bob)] == list(range(10))


def test_what_a_sender_said_last_leaves_before_he_is_gone(
    office: Office, pair: tuple[Person, Person]
) -> None:
    ada, bob = pair
    for x in range(3):
        move(ada, x)
    ada.vanish()
    assert [event for event, _, _ in heard_of(bob)] == [
        "client-move",
        "client-move",
        "pusher_internal:member_removed",
    ]
    office.clock.advance(1)
    assert bob.heard() == []


def test_one_timer_serves_a_channel_and_none_runs_when_nothing_moves(alone: Relayed) -> None:
    members = people(alone, *"abcdefgh")
    for _ in range(3):
        for member in members:
            move(member, 1)
    assert len(alone.clock.getDelayedCalls()) == 1
    alone.clock.pump([TICK] * 3)
    assert alone.clock.getDelayedCalls() == []


def test_nothing_is_left_of_a_channel_that_is_gone(alone: Relayed) -> None:
    for member in people(alone, "ada", "bob"):
        move(member, 1)
        move(member, 2)
        member.vanish()
    assert alone.clock.getDelayedCalls() == []
    alone.assert_empty()


# -- the rate of client events -------------------------------------------------------------------


def test_the_rate_counts_what_leaves(new_office: NewOffice) -> None:
    office = new_office(rate=50, newest=MOVES)
    ada, bob = people(office, "ada", "bob")
    for _ in range(40):
        for x in range(10):
            move(ada, x)
        office.clock.advance(TICK)
    assert ada.heard() == []
    assert len(places(bob)) in (40, 41)


def test_a_sender_whose_rate_is_less_than_the_ticks_is_heard_as_often_as_it_says(
    new_office: NewOffice,
) -> None:
    office = new_office(rate=10, newest=MOVES)
    ada, bob = people(office, "ada", "bob")
    for x in range(200):
        move(ada, x)
        office.clock.advance(TICK)
    heard = places(bob)
    assert ada.heard() == []
    assert 100 <= len(heard) <= 110
    office.clock.advance(1)
    assert [*heard, *places(bob)][-1] == ("ada", 199)


def test_moves_leave_room_for_what_can_not_wait(new_office: NewOffice) -> None:
    office = new_office(rate=10, newest=MOVES)
    ada, bob = people(office, "ada", "bob")
    for x in range(100):
        move(ada, x)
        office.clock.advance(TICK)
    bob.heard()
    for number in range(4):
        ada.whisper(OFFICE, number, "client-signal")
    assert ada.heard() == []
    assert [event for event, _, _ in heard_of(bob)] == ["client-signal"] * 4


def test_a_first_move_without_anything_to_spare_waits_and_arrives(new_office: NewOffice) -> None:
    office = new_office(rate=10, newest=MOVES)
    ada, bob = people(office, "ada", "bob")
    for number in range(10):
        ada.whisper(OFFICE, number, "client-typing")
    bob.heard()
    move(ada, 1)
    assert (ada.heard(), bob.heard()) == ([], [])
    office.clock.pump([TICK] * 40)
    assert places(bob) == [("ada", 1)]


def test_a_rate_of_one_lets_moves_leave_too(new_office: NewOffice) -> None:
    office = new_office(rate=1, newest=MOVES)
    ada, bob = people(office, "ada", "bob")
    move(ada, 1)
    move(ada, 2)
    assert places(bob) == [("ada", 1)]
    office.clock.pump([TICK] * 21)
    assert places(bob) == [("ada", 2)]


def test_a_sender_has_a_bounded_number_of_turns(new_office: NewOffice) -> None:
    office = new_office(rate=10, newest=MOVES)
    ada, bob = people(office, "ada", "bob")
    for number in range(100):
        ada.whisper(OFFICE, 1, f"client-position{number}")
    refused = ada.heard()
    assert refused == [error(4301, "more than 10 client events a second (client_event_rate)")] * (
        100 - MOST_EVENTS - 4
    )
    office.clock.pump([TICK] * 100)
    assert len(bob.heard()) == 10 - 4 + MOST_EVENTS - 6 + 4
