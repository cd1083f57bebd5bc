"""wsrelay.rules.proximity: positions reach those who are near, and all hear who comes and goes."""

from __future__ import annotations

from typing import Any

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
from wsrelay.core.rules import Newest, Proximity


def settings(**more: Any) -> Proximity:
    return Proximity(event="client-move", radius=100, hysteresis=10, **more)


@pytest.fixture
def office(new_office: NewOffice) -> Office:
    return new_office(proximity=settings())


@pytest.fixture
def alone() -> Relayed:
    return an_office(proximity=settings())


def standing(relayed: Relayed, **where: float) -> list[Person]:
    """Members who stand there, in a row; what that made them hear is forgotten."""
    clients = people(relayed, *where)
    for client, x in zip(clients, where.values(), strict=True):
        move(client, x)
    for client in clients:
        client.heard()
    return clients


def nearby(user_id: str, distance: float, caller: str) -> tuple[str, Any, None]:
    data = {"user_id": user_id, "distance": distance, "caller": caller}
    return ("client-nearby", data, None)


def away(user_id: str) -> tuple[str, Any, None]:
    return ("client-away", {"user_id": user_id}, None)


def at(user_id: str, x: float) -> tuple[str, Any, str]:
    return ("client-move", {"x": x, "y": 0}, user_id)


# -- positions -----------------------------------------------------------------------------------


def test_who_is_near_hears_of_every_move_and_who_is_not_of_none(office: Office) -> None:
    ada, bob, cyd = standing(office, ada=0, bob=50, cyd=1000)
    for x in range(3):
        move(ada, x)
    assert places(bob) == [("ada", 0), ("ada", 1), ("ada", 2)]
    assert (ada.heard(), cyd.heard()) == ([], [])


def test_who_has_not_said_where_he_is_hears_of_everybody(office: Office) -> None:
    ada, bob, cyd = people(office, "ada", "bob", "cyd")
    move(ada, 0)
    move(bob, 1000)
    assert places(cyd) == [("ada", 0), ("bob", 1000)]
    assert places(ada) == []
    move(cyd, 2000)
    cyd.heard()
    move(ada, 1)
    assert cyd.heard() == []
    assert places(bob) == [("ada", 0)]  # from before he said where he is


def test_events_other_than_the_position_are_for_all(office: Office) -> None:
    ada, *others = standing(office, ada=0, bob=50, cyd=1000)
    ada.whisper(OFFICE, {"x": 0, "y": 0}, "client-chat")
    assert [len(other.heard()) for other in others] == [1, 1]


@pytest.mark.parametrize(
    "data", ["here", {"x": 1}, {"x": "1", "y": "2"}, {"x": 1e10, "y": 0}, None, [1, 2]]
)
def test_a_position_that_can_not_be_read_is_for_all_and_counted(office: Office, data: Any) -> None:
    ada, *others = standing(office, ada=0, bob=50, cyd=1000)
    ada.whisper(OFFICE, data, "client-move")
    assert [len(other.heard()) for other in others] == [1, 1]
    assert office.tally.positions_unreadable == 1
    move(ada, 1)
    assert [len(other.heard()) for other in others] == [1, 0]


def test_a_position_may_come_as_a_string(office: Office) -> None:
    ada, bob, cyd = standing(office, ada=0, bob=50, cyd=1000)
    ada.whisper(OFFICE, '{"x": 1, "y": 0}', "client-move")
    assert (len(bob.heard()), len(cyd.heard())) == (1, 0)


def test_who_comes_near_is_told_where_the_other_stands(office: Office) -> None:
    ada, bob = standing(office, ada=0, bob=1000)
    move(bob, 900)
    move(ada, 850)
    assert heard_of(ada) == [at("bob", 900), nearby("bob", 50, "ada")]
    assert heard_of(bob) == [at("ada", 850), nearby("ada", 50, "ada")]


def test_without_a_rate_beyond_nobody_far_away_is_ever_told(alone: Relayed) -> None:
    ada, _, cyd = standing(alone, ada=0, bob=50, cyd=1000)
    for x in range(50):
        move(ada, x)
    alone.clock.pump([1] * 60)
    assert cyd.heard() == []
    assert alone.clock.getDelayedCalls() == []


def test_who_is_far_away_hears_of_moves_at_the_rate_beyond_and_of_the_last_one(
    new_office: NewOffice,
) -> None:
    office = new_office(proximity=settings(beyond_rate=1))
    ada, bob, cyd = standing(office, ada=0, bob=50, cyd=1000)
    office.clock.advance(1)
    bob.heard()
    cyd.heard()
    for x in range(40):
        move(ada, x)
        office.clock.advance(0.1)
    assert len(places(bob)) == 40
    heard = places(cyd)
    assert len(heard) in (3, 4)
    office.clock.advance(1)
    assert [*heard, *places(cyd)][-1] == ("ada", 39)
    office.clock.advance(1)
    assert (bob.heard(), cyd.heard()) == ([], [])


def test_with_a_rate_beyond_no_timer_runs_when_nothing_moves() -> None:
    office = an_office(proximity=settings(beyond_rate=1))
    standing(office, ada=0, cyd=1000)
    assert len(office.clock.getDelayedCalls()) == 1
    office.clock.pump([1, 1])
    assert office.clock.getDelayedCalls() == []


def test_newest_comes_before_proximity(new_office: NewOffice) -> None:
    office = new_office(proximity=settings(), newest=Newest(events=("client-move",), rate=20))
    ada, bob, cyd = standing(office, ada=0, bob=50, cyd=1000)
    office.clock.advance(1)
    for x in range(10):
        move(ada, x)
    office.clock.advance(1 / 20)
    assert places(bob) == [("ada", 0), ("ada", 9)]
    assert cyd.heard() == []


# -- nearby and away -----------------------------------------------------------------------------


def test_both_sides_hear_who_has_come_near_and_both_the_same_caller(office: Office) -> None:
    bob, ada = standing(office, bob=0, ada=200)
    move(bob, 100)
    assert heard_of(ada) == [at("bob", 100), nearby("bob", 100, "ada")]
    assert heard_of(bob) == [at("ada", 200), nearby("ada", 100, "ada")]


def test_who_is_near_stays_near_until_he_is_farther_away_than_the_hysteresis(
    office: Office,
) -> None:
    ada, bob = standing(office, ada=0, bob=100)
    for x in (105, 110, 101):
        move(bob, x)
    assert heard_of(ada) == [at("bob", 105), at("bob", 110), at("bob", 101)]
    move(bob, 110.5)
    assert heard_of(ada) == [away("bob")]
    assert heard_of(bob) == [away("ada")]
    move(bob, 105)
    assert (ada.heard(), bob.heard()) == ([], [])
    move(bob, 100)
    assert heard_of(ada) == [at("bob", 100), nearby("bob", 100, "ada")]


def test_the_distance_is_that_in_the_plane(office: Office) -> None:
    ada, bob = people(office, "ada", "bob")
    move(ada, 0, 0)
    move(bob, 30, 40)
    assert heard_of(ada)[-1] == nearby("bob", 50, "ada")


@pytest.mark.parametrize(
    "leave", [lambda client: client.vanish(), lambda client: client.unsubscribe(OFFICE)]
)
def test_who_leaves_the_channel_is_away_for_those_who_were_near(office: Office, leave: Any) -> None:
    ada, bob, cyd = standing(office, ada=0, bob=50, cyd=1000)
    leave(ada)
    assert [event for event, _, _ in heard_of(bob)] == [
        "client-away",
        "pusher_internal:member_removed",
    ]
    assert [event for event, _, _ in heard_of(cyd)] == ["pusher_internal:member_removed"]
    move(bob, 51)
    assert bob.heard() == []


def test_no_client_can_say_who_is_near(office: Office) -> None:
    ada, bob = people(office, "ada", "bob")
    for event in ("client-nearby", "client-away", "client-turn"):
        ada.whisper(OFFICE, {"user_id": "bob"}, event)
        message = f"{event} is for the relay alone to say in this channel"
        assert ada.heard() == [error(4301, message)]
    assert bob.heard() == []


def test_without_users_members_are_named_by_their_socket_ids(office: Office) -> None:
    ada, bob = people(office, "ada", "bob", channel="private-office.1")
    move(ada, 0, channel="private-office.1")
    move(bob, 1, channel="private-office.1")
    caller = min(ada.socket_id, bob.socket_id)
    assert heard_of(ada)[-1] == nearby(bob.socket_id, 1, caller)


# -- a member with two tabs ----------------------------------------------------------------------


def test_all_tabs_of_a_member_hear_what_he_hears_and_where_he_goes(office: Office) -> None:
    first, second, bob = people(office, "ada", "ada", "bob")
    move(first, 0)
    assert heard_of(second) == [at("ada", 0)]
    bob.heard()
    move(bob, 50)
    expected = [at("bob", 50), nearby("bob", 50, "ada")]
    assert heard_of(first) == expected
    assert heard_of(second) == expected
    assert heard_of(bob) == [at("ada", 0), nearby("ada", 50, "ada")]


def test_a_tab_that_opens_later_hears_who_is_near_now(office: Office) -> None:
    _, _, _ = standing(office, ada=0, bob=50, cyd=1000)
    tab = office.connect()
    tab.join(OFFICE, "ada")
    assert heard_of(tab)[1:] == [nearby("bob", 50, "ada")]


def test_a_member_is_away_when_his_last_tab_is_gone(office: Office) -> None:
    first, second, bob = people(office, "ada", "ada", "bob")
    move(first, 0)
    move(bob, 1)
    bob.heard()
    first.vanish()
    assert bob.heard() == []
    second.vanish()
    assert heard_of(bob)[0] == away("ada")


# -- nothing is left -----------------------------------------------------------------------------


def test_nothing_is_left_of_a_channel_that_is_gone() -> None:
    office = an_office(proximity=settings(beyond_rate=1), snapshot=True)
    for client in standing(office, ada=0, bob=50, cyd=1000):
        client.vanish()
    assert office.clock.getDelayedCalls() == []
    office.assert_empty()


def test_what_is_delivered_is_counted(new_office: NewOffice) -> None:
    office = new_office(proximity=settings(beyond_rate=1))
    clients = standing(office, ada=0, bob=50, cyd=1000)
    office.clock.advance(1)
    for client in clients:
        client.heard()
    before = office.tally.deliveries
    move(clients[0], 950)
    office.clock.advance(1)
    assert office.tally.deliveries - before == sum(len(client.heard()) for client in clients)
