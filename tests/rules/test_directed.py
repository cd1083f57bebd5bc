"""Directed whispers: only the member who is named gets them (wsrelay.rules.channel, present)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pusher.relayed import Relayed
from tests.rules.office import OFFICE, NewOffice, Office, Person, an_office, heard_of, people
from wsrelay.core.errors import Code
from wsrelay.core.publication import Whisper
from wsrelay.core.rules import Directed, Newest

SIGNALS = Directed(events=("client-signal*",))


@pytest.fixture
def office(new_office: NewOffice) -> Office:
    return new_office(directed=SIGNALS)


@pytest.fixture
def alone() -> Relayed:
    return an_office(directed=SIGNALS)


def signal(client: Person, to: Any, channel: str = OFFICE) -> None:
    client.whisper(channel, {"to": to, "sdp": "v=0"}, "client-signal")


def signals(client: Person) -> int:
    return sum(event == "client-signal" for event, _, _ in heard_of(client))


def test_a_user_id_names_the_one_who_gets_it(office: Office) -> None:
    ada, bob, cyd = people(office, "ada", "bob", "cyd")
    signal(ada, "bob")
    assert heard_of(bob) == [("client-signal", {"to": "bob", "sdp": "v=0"}, "ada")]
    assert (ada.heard(), cyd.heard()) == ([], [])
    assert office.tally.deliveries == 3 + 1


def test_a_number_names_the_user_whose_id_is_that_text(office: Office) -> None:
    ada, bob = people(office, "7", "42")
    signal(ada, 42)
    assert signals(bob) == 1


def test_all_tabs_of_a_user_get_it(office: Office) -> None:
    ada, *tabs, cyd = people(office, "ada", "bob", "bob", "cyd")
    signal(ada, "bob")
    assert [signals(tab) for tab in tabs] == [1, 1]
    assert signals(cyd) == 0


def test_a_socket_id_names_one_tab(office: Office) -> None:
    ada, first, second = people(office, "ada", "bob", "bob")
    signal(ada, second.socket_id)
    assert (signals(first), signals(second)) == (0, 1)


def test_on_channels_without_users_socket_ids_are_names(office: Office) -> None:
    ada, bob, cyd = people(office, "ada", "bob", "cyd", channel="private-office.1")
    signal(ada, bob.socket_id, "private-office.1")
    assert (signals(bob), signals(cyd)) == (1, 0)


def test_the_other_tabs_of_the_sender_are_others(office: Office) -> None:
    first, second = people(office, "ada", "ada")
    signal(first, "ada")
    assert (signals(first), signals(second)) == (0, 1)


@pytest.mark.parametrize("to", ["nobody", "9.9", "ada", 42])
def test_who_names_nobody_else_is_told_4303_and_whom_he_named(office: Office, to: Any) -> None:
    ada, bob = people(office, "ada", "bob")
    signal(ada, to)
    assert ada.heard() == [
        {
            "event": "pusher:error",
            "data": {
                "code": 4303,
                "message": f"client-signal: nobody else in {OFFICE} is {str(to)!r}",
                "channel": OFFICE,
                "event": "client-signal",
                "to": str(to),
            },
        }
    ]
    assert bob.heard() == []
    assert office.tally.rejected(Code.NOBODY_THERE) == 1


def test_who_has_left_is_nobody(office: Office) -> None:
    ada, bob = people(office, "ada", "bob")
    socket_id = bob.socket_id
    bob.unsubscribe(OFFICE)
    for to in ("bob", socket_id):
        ada.heard()
        signal(ada, to)
        [told] = ada.heard()
        assert told["data"]["code"] == 4303


def test_without_the_field_all_get_it(office: Office) -> None:
    ada, *others = people(office, "ada", "bob", "cyd")
    ada.whisper(OFFICE, {"hello": 1}, "client-signal")
    assert [signals(other) for other in others] == [1, 1]


def test_a_field_that_names_nobody_is_refused_and_not_told_to_all(office: Office) -> None:
    ada, bob = people(office, "ada", "bob")
    signal(ada, ["bob"])
    [told] = ada.heard()
    assert told["data"] == {
        "code": 4301,
        "message": "client-signal: to: expected a user id or a socket id",
    }
    assert bob.heard() == []


def test_events_outside_the_rule_are_for_all_whatever_they_name(office: Office) -> None:
    ada, *others = people(office, "ada", "bob", "cyd")
    ada.whisper(OFFICE, {"to": "bob"}, "client-move")
    assert [len(other.heard()) for other in others] == [1, 1]


def test_a_directed_event_is_never_superseded_and_counts_for_the_rate(
    new_office: NewOffice,
) -> None:
    office = new_office(rate=3, directed=SIGNALS, newest=Newest(events=("client-*",)))
    ada, bob = people(office, "ada", "bob")
    for _ in range(4):
        signal(ada, "bob")
    assert signals(bob) == 3
    assert [told["data"]["code"] for told in ada.heard()] == [4301]


def test_other_nodes_are_told_whom_it_is_for(alone: Relayed) -> None:
    ada, bob = people(alone, "ada", "bob")
    signal(ada, "bob")
    assert alone.bus.carried[-1].whisper == Whisper(
        "client-signal", ada.socket_id, user_id="ada", to="bob"
    )
    assert signals(bob) == 1
