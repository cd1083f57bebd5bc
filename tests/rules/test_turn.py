"""wsrelay.rules.turn: credentials as coturn computes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pusher.relayed import Relayed
from tests.rules.office import OFFICE, an_office, heard_of, people
from wsrelay.core.rules import Turn
from wsrelay.core.secret import Secret
from wsrelay.rules.turn import ice_servers

TURN = Turn(urls=("turn:turn.example.org:3478",), secret=Secret("north"), ttl=600)
NOW = 1_700_000_000


@pytest.fixture
def office() -> Relayed:
    return an_office(turn=TURN)


def servers(user_id: str, credential: str, ends: int = NOW + 600) -> Any:
    server = {"urls": list(TURN.urls), "username": f"{ends}:{user_id}", "credential": credential}
    return ("client-turn", {"iceServers": [server], "ttl": 600}, None)


def test_a_credential_is_the_hmac_of_its_end_and_its_owner() -> None:
    # printf 1700000600:ada | openssl dgst -sha1 -hmac north -binary | base64
    assert ice_servers(TURN, "ada", 1_700_000_000.9) == {
        "iceServers": [
            {
                "urls": ["turn:turn.example.org:3478"],
                "username": "1700000600:ada",
                "credential": "PxnDSvp1YXUZ9V3JJfLv80je4zM=",
            }
        ],
        "ttl": 600,
    }


def test_who_joins_is_told_his_own_and_nobody_elses(office: Relayed) -> None:
    [ada] = people(office, "ada")
    bob = office.connect()
    bob.join(OFFICE, "bob")
    _, told = heard_of(bob)
    assert told == servers("bob", ice_servers(TURN, "bob", NOW)["iceServers"][0]["credential"])
    assert [event for event, _, _ in heard_of(ada)] == ["pusher_internal:member_added"]


def test_they_are_renewed_when_half_of_their_time_is_left(office: Relayed) -> None:
    [ada] = people(office, "ada")
    office.clock.advance(200)
    bob = office.connect()
    bob.join(OFFICE, "bob")
    bob.heard()
    ada.heard()
    office.clock.advance(99)
    assert (ada.heard(), bob.heard()) == ([], [])
    office.clock.advance(1)
    for client, name in ((ada, "ada"), (bob, "bob")):
        [(event, data, _)] = heard_of(client)
        assert event == "client-turn"
        assert data["iceServers"][0]["username"].endswith(f":{name}")
    office.clock.advance(300)
    assert (len(ada.heard()), len(bob.heard())) == (1, 1)


def test_who_has_left_is_told_no_more(office: Relayed) -> None:
    ada, bob = people(office, "ada", "bob")
    ada.unsubscribe(OFFICE)
    ada.heard()
    office.clock.advance(300)
    assert ada.heard() == []
    bob.vanish()
    assert office.clock.getDelayedCalls() == []


def test_without_users_they_are_for_the_connection(office: Relayed) -> None:
    ada = office.connect()
    ada.subscribe("private-office.1")
    [_, (_, data, _)] = heard_of(ada)
    assert data["iceServers"][0]["username"] == f"{NOW + 600}:{ada.socket_id}"
