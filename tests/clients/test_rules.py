"""What stock laravel-echo and pusher-js get from the rules of a channel, by whispers alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.clients.features import Feature
from tests.clients.sdks import LaravelEcho, NewEcho, NewPusherJs, Unique

OFFICE = {
    "channels": "presence-office*",
    "newest": {"events": ["client-move"], "rate": 10},
    "directed": {"events": ["client-signal"]},
    "snapshot": True,
    "turn": {"urls": ["turn:turn.example.org:3478"], "secret": "north", "ttl": 600},
}
MAP = {
    "channels": "presence-map*",
    "snapshot": True,
    "proximity": {"event": "client-move", "radius": 100, "hysteresis": 10},
}
WHISPERS = ["move", "signal", "nearby", "away", "turn"]
WITH_RULES = pytest.mark.app(client_event_rate=0, rules=[OFFICE, MAP])

pytestmark = pytest.mark.feature(Feature.RULES)


def enter(echo: NewEcho, user: str, office: str) -> LaravelEcho:
    client = echo(user)
    client.open("join", office, whispers=WHISPERS)
    return client


def moves(client: LaravelEcho, office: str) -> list[Any]:
    return client.has_heard("whisper move", office)


def move(client: LaravelEcho, office: str, x: float) -> None:
    client.whisper("join", office, "move", {"x": x, "y": 0})


def signal(client: LaravelEcho, office: str, to: str) -> None:
    client.whisper("join", office, "signal", {"to": to})


@WITH_RULES
def test_a_dragged_avatar_is_heard_by_the_tick_and_where_it_stops(
    echo: NewEcho, unique: Unique
) -> None:
    office = unique("office")
    ada, bob = enter(echo, "ada", office), enter(echo, "bob", office)
    began = time.monotonic()
    for x in range(60):
        move(ada, office, x)
    while (heard := bob.hear("whisper move", office).data)["x"] != 59:
        pass
    ticks = (time.monotonic() - began) * 10
    heard = [told["x"] for told in moves(bob, office)]
    assert heard[0] == 0
    assert heard == sorted(heard)
    assert len(heard) <= ticks + 2


@WITH_RULES
def test_a_whisper_to_one_member_reaches_nobody_else(echo: NewEcho, unique: Unique) -> None:
    office = unique("office")
    ada, bob, cyd = (enter(echo, user, office) for user in ("ada", "bob", "cyd"))
    signal(ada, office, "bob")
    assert bob.hear("whisper signal", office).data == {"to": "bob"}
    signal(ada, office, cyd.socket_id)
    cyd.hear("whisper signal", office)
    assert [len(each.has_heard("whisper signal", office)) for each in (ada, bob, cyd)] == [0, 1, 1]


@WITH_RULES
def test_a_whisper_to_nobody_is_answered_and_says_whom_it_named(
    echo: NewEcho, unique: Unique
) -> None:
    office = unique("office")
    ada = enter(echo, "ada", office)
    signal(ada, office, "bob")
    told = ada.expect("error", source="error").data
    told = told.get("error", told)["data"]
    assert told["code"] == 4303
    assert (told["channel"], told["event"], told["to"]) == (
        f"presence-{office}",
        "client-signal",
        "bob",
    )
    bob = enter(echo, "bob", office)
    signal(ada, office, "bob")
    bob.hear("whisper signal", office)


@WITH_RULES
def test_a_newcomer_hears_where_everybody_stands(echo: NewEcho, unique: Unique) -> None:
    office = unique("office")
    ada, bob = enter(echo, "ada", office), enter(echo, "bob", office)
    for x in (1, 2, 3):
        move(ada, office, x)
    while bob.hear("whisper move", office).data["x"] != 3:
        pass
    cyd = enter(echo, "cyd", office)
    assert cyd.hear("whisper move", office).data == {"x": 3, "y": 0}
    report = cyd.expect("client-move", source="frame", channel=f"presence-{office}")
    assert report.user_id == "ada"


@WITH_RULES
def test_a_member_is_given_credentials_that_a_browser_takes_as_they_are(
    echo: NewEcho, unique: Unique
) -> None:
    office = unique("office")
    ada, bob = enter(echo, "ada", office), enter(echo, "bob", office)
    for client, name in ((ada, "ada"), (bob, "bob")):
        told = client.hear("whisper turn", office).data
        [server] = told["iceServers"]
        assert server["urls"] == ["turn:turn.example.org:3478"]
        assert server["username"].endswith(f":{name}")
        assert told["ttl"] == 600


@WITH_RULES
def test_two_who_come_near_hear_of_each_other_and_agree_on_the_caller(
    echo: NewEcho, unique: Unique
) -> None:
    floor = unique("map")
    ada, bob, cyd = (enter(echo, user, floor) for user in ("ada", "bob", "cyd"))
    for client, x in ((ada, 0), (bob, 1000)):
        move(client, floor, x)
        assert cyd.hear("whisper move", floor).data["x"] == x
    move(cyd, floor, 2000)
    signal(cyd, floor, "all")  # behind the move, so that whoever hears it has it behind him
    for client in (ada, bob):
        client.hear("whisper signal", floor)
    move(bob, floor, 50)
    assert ada.hear("whisper nearby", floor).data == {
        "user_id": "bob",
        "distance": 50,
        "caller": "ada",
    }
    assert bob.hear("whisper nearby", floor).data == {
        "user_id": "ada",
        "distance": 50,
        "caller": "ada",
    }
    assert moves(ada, floor)[-1] == {"x": 50, "y": 0}
    move(bob, floor, 500)
    assert ada.hear("whisper away", floor).data == {"user_id": "bob"}
    assert bob.hear("whisper away", floor).data == {"user_id": "ada"}
    move(bob, floor, 0)
    ada.hear("whisper nearby", floor)
    bob.vanish()
    ada.hear("whisper away", floor)
    ada.hear("leaving", floor)
    assert [told["x"] for told in moves(cyd, floor)] == [0, 1000]


@WITH_RULES
def test_pusher_js_alone_hears_the_same_with_whose_it_is(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    floor = unique("presence-map")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    ada.subscribe(floor, "client-nearby", "client-move")
    bob.subscribe(floor, "client-nearby", "client-move")
    ada.trigger(floor, "client-move", {"x": 1, "y": 0})
    assert bob.hear("client-move", floor).user_id == "ada"
    bob.trigger(floor, "client-move", {"x": 2, "y": 0})
    assert ada.hear("client-nearby", floor).data["user_id"] == "bob"
    assert bob.hear("client-nearby", floor).data["user_id"] == "ada"
