"""wsrelay.core.signins: users, those who watch them, and how an app ends them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.doubles import APP, an_app, drive
from tests.pusher.relayed import Client, Relayed, compact, error, told
from wsrelay.core.errors import Code
from wsrelay.core.users import GRACE


@pytest.fixture
def relayed() -> Relayed:
    return Relayed()


def signed_in(relayed: Relayed, user_id: str, **data: Any) -> Client:
    client = relayed.connect()
    client.sign_in(user_id, **data)
    success, *watched = client.heard()
    assert success["event"] == "pusher:signin_success"
    assert not watched or "watchlist" in data
    return client


def seen(online: list[str] | None = None, offline: list[str] | None = None) -> dict[str, str]:
    """What a watcher hears."""
    events = [
        {"name": name, "user_ids": user_ids}
        for name, user_ids in (("online", online), ("offline", offline))
        if user_ids
    ]
    return {"event": "pusher_internal:watchlist_events", "data": compact({"events": events})}


def test_what_is_published_to_a_user_reaches_all_his_connections_and_nobody_else(
    relayed: Relayed,
) -> None:
    first, second = signed_in(relayed, "42"), signed_in(relayed, "42")
    other, stranger = signed_in(relayed, "43"), relayed.connect()
    relayed.publish("#server-to-user-42")
    assert first.heard() == second.heard() == [told("#server-to-user-42")]
    assert other.heard() == stranger.heard() == []


def test_a_client_that_subscribes_to_its_own_channel_hears_nothing_twice(relayed: Relayed) -> None:
    client = signed_in(relayed, "42")
    client.subscribe("#server-to-user-42")
    client.heard()
    relayed.publish("#server-to-user-42")
    assert client.heard() == [told("#server-to-user-42")]


def test_who_watches_is_told_at_once_who_is_online_and_who_is_not(relayed: Relayed) -> None:
    signed_in(relayed, "7")
    watcher = relayed.connect()
    watcher.sign_in("42", watchlist=["7", "9"])
    assert watcher.heard()[1:] == [seen(["7"], ["9"])]


def test_who_watches_hears_who_comes_online_and_who_goes_offline(relayed: Relayed) -> None:
    watcher = signed_in(relayed, "42", watchlist=["7"])
    first, second = signed_in(relayed, "7"), signed_in(relayed, "7")
    assert watcher.heard() == [seen(["7"])]
    first.vanish()
    second.vanish()
    assert watcher.heard() == []
    relayed.clock.advance(GRACE)
    assert watcher.heard() == [seen(None, ["7"])]


def test_a_page_that_is_turned_does_not_flicker(relayed: Relayed) -> None:
    watcher = signed_in(relayed, "42", watchlist=["7"])
    signed_in(relayed, "7").vanish()
    relayed.clock.advance(GRACE / 2)
    signed_in(relayed, "7")
    relayed.clock.advance(10 * GRACE)
    assert watcher.heard() == [seen(["7"])]


def test_nobody_is_watched_where_the_app_does_not_want_it() -> None:
    relayed = Relayed(an_app(watchlist=False))
    watcher = relayed.connect()
    watcher.sign_in("42", watchlist=["7"])
    signed_in(relayed, "7")
    assert [message["event"] for message in watcher.heard()] == ["pusher:signin_success"]


def test_of_a_watchlist_that_is_too_long_the_first_ones_count() -> None:
    relayed = Relayed(an_app(max_watchlist=2))
    watcher = relayed.connect()
    watcher.sign_in("42", watchlist=["7", "8", "9"])
    assert watcher.heard()[1:] == [
        seen(None, ["7", "8"]),
        error(4302, "3 users are watched, the limit is 2 (max_watchlist); these are: 7, 8"),
    ]
    signed_in(relayed, "9")
    assert watcher.heard() == []
    signed_in(relayed, "8")
    assert watcher.heard() == [seen(["8"])]


def test_an_app_ends_the_connections_that_signed_in_as_a_user_and_no_others(
    relayed: Relayed,
) -> None:
    tabs = [signed_in(relayed, "42"), signed_in(relayed, "42")]
    other, member = signed_in(relayed, "43"), relayed.connect()
    member.join("presence-room", "42")
    drive(relayed.signins.terminate(APP.id, "42"))
    assert [tab.closed for tab in tabs] == [Code.UNAUTHORIZED] * 2
    assert other.closed is member.closed is None
    assert tabs[0].heard() == [error(4009, "the app has ended this user's connections")]


def test_who_unsubscribes_from_his_own_channel_can_still_be_reached_and_ended(
    relayed: Relayed,
) -> None:
    client = signed_in(relayed, "42")
    client.subscribe("#server-to-user-42")
    client.unsubscribe("#server-to-user-42")
    client.heard()
    relayed.publish("#server-to-user-42")
    assert client.heard() == [told("#server-to-user-42")]
    drive(relayed.signins.terminate(APP.id, "42"))
    assert client.closed is Code.UNAUTHORIZED
    client.vanish()
    relayed.clock.advance(GRACE)
    relayed.assert_empty()


def test_a_connection_that_is_gone_already_is_not_ended_again(relayed: Relayed) -> None:
    client = signed_in(relayed, "42")
    relayed.connections.remove(APP.id, client.socket_id)
    drive(relayed.signins.terminate(APP.id, "42"))
    assert client.closed is None


def test_signing_out_without_having_signed_in_is_nothing(relayed: Relayed) -> None:
    drive(relayed.signins.sign_out(APP.id, "42", ["7"], "9.9"))
    relayed.assert_empty()


def test_ending_a_user_who_is_not_here_ends_nobody(relayed: Relayed) -> None:
    client = signed_in(relayed, "42")
    drive(relayed.signins.terminate(APP.id, "43"))
    drive(relayed.signins.terminate("another app", "42"))
    assert client.closed is None


def test_nothing_is_kept_of_users_who_are_gone(relayed: Relayed) -> None:
    clients = [signed_in(relayed, "42", watchlist=["7", "9"]), signed_in(relayed, "7")]
    for client in clients:
        client.vanish()
    relayed.clock.advance(GRACE)
    relayed.assert_empty()
    assert relayed.clock.getDelayedCalls() == []


def test_a_user_that_watches_himself_comes_to_no_harm(relayed: Relayed) -> None:
    client = relayed.connect()
    client.sign_in("42", watchlist=["42"])
    heard = client.heard()
    assert heard[0]["event"] == "pusher:signin_success"
    assert json.loads(heard[-1]["data"])["events"] == [{"name": "online", "user_ids": ["42"]}]
    client.vanish()
    relayed.clock.advance(GRACE)
    relayed.assert_empty()
