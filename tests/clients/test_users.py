"""Users who sign in: their events, who watches them, and how a backend ends their connections."""

from __future__ import annotations

import json

import pytest

from tests.clients.backends import Backend, NpmPusher
from tests.clients.features import Feature
from tests.clients.relay import Relay
from tests.clients.sdks import NewEcho, NewPusherJs, PusherJs, Unique


@pytest.mark.feature(Feature.SIGN_IN)
def test_a_client_signs_in_with_the_signature_of_a_backend(
    pusher_js: NewPusherJs, backend: Backend
) -> None:
    zoe = pusher_js("zoe", backend)
    zoe.sign_in()
    (told,) = zoe.heard("pusher:signin_success", source="frame")
    user = json.loads(told.data["user_data"])
    assert (user["id"], user["user_info"]) == ("zoe", {"name": "Zoe"})
    assert zoe.states() == ["connected"]


@pytest.mark.feature(Feature.SIGN_IN)
def test_a_client_that_reconnects_signs_in_again(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    ada = pusher_js(user := unique("ada"))
    ada.sign_in("invoice")
    ada.reconnect()
    ada.expect("pusher:signin_success", source="frame")
    publisher.send_to_user(user, "invoice", 7)
    assert ada.hear_as_user("invoice") == 7


@pytest.mark.feature(Feature.SIGN_IN_REFUSED)
def test_a_forged_sign_in_is_told_4009_and_the_client_stops(
    pusher_js: NewPusherJs, publisher: NpmPusher, relay: Relay
) -> None:
    mallory = pusher_js("mallory", publisher.against(relay.with_app(secret="a guess")))
    mallory.home.ask("signIn", events=[])
    mallory.expect_goodbye(4009)
    assert mallory.heard("pusher:signin_success", source="frame") == []


@pytest.mark.feature(Feature.USER_EVENTS)
def test_an_event_to_a_user_reaches_each_connection_of_his_once_and_nobody_else(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    user, other, news = unique("ada"), unique("bob"), unique("news")
    first, second, bob, guest = pusher_js(user), pusher_js(user), pusher_js(other), pusher_js(user)
    for client in (first, second, bob):
        client.sign_in("invoice", "last")
    guest.subscribe(news, "last")
    backend.send_to_user(user, "invoice", {"to": "Zoë"})
    for name in (user, other):
        backend.send_to_user(name, "last", None)
    backend.trigger(news, "last", None)
    for client in (first, second, bob):
        client.hear_as_user("last")
    guest.hear("last", news)
    for client in (first, second):
        assert [told.data for told in client.heard("invoice", source="user")] == [{"to": "Zoë"}]
    for client in (bob, guest):
        assert client.heard("invoice", source="frame") == []


@pytest.mark.feature(Feature.USER_EVENTS)
def test_echo_hears_what_is_sent_to_its_user(
    echo: NewEcho, publisher: NpmPusher, unique: Unique
) -> None:
    ada = echo(user := unique("ada"))
    ada.sign_in("invoice")
    publisher.send_to_user(user, "invoice", {"n": 7})
    assert ada.hear_as_user("invoice") == {"n": 7}


@pytest.mark.feature(Feature.USER_CHANNEL)
def test_the_channel_of_a_user_is_closed_to_others_who_have_signed_in_or_not(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    user, other, news = unique("ada"), unique("mallory"), unique("news")
    theirs = f"#server-to-user-{user}"
    mallory, guest = pusher_js(other), pusher_js(other)
    mallory.sign_in()
    guest.expect("connected", source="state")
    for client in (mallory, guest):
        client.send("pusher:subscribe", {"channel": theirs, "auth": ""})
        client.subscribe(news, "last")  # answered after the other
    publisher.send_to_user(user, "invoice", 7)
    publisher.trigger(news, "last", None)
    for client in (mallory, guest):
        client.hear("last", news)
        assert "invoice" not in client.frames(theirs)


@pytest.mark.feature(Feature.USER_CHANNEL_REFUSED)
def test_who_asks_for_the_channel_of_another_user_is_told_401(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    theirs = f"#server-to-user-{unique('ada')}"
    mallory = pusher_js(unique("mallory"))
    mallory.sign_in()
    mallory.send("pusher:subscribe", {"channel": theirs, "auth": ""})
    refusal = mallory.hear_frame("pusher:subscription_error", theirs)
    assert refusal.data["status"] == 401
    assert mallory.states() == ["connected"]


@pytest.mark.feature(Feature.USER_PRESENCE)
def test_who_has_signed_in_is_a_member_without_channel_data(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    ada = pusher_js("ada", backend, authEndpoint=backend.endpoint("/pusher/auth", user=""))
    bob = pusher_js("bob", backend)
    bob.subscribe(lobby)
    ada.sign_in()
    members = ada.subscribe(lobby)
    assert members["me"] == {"id": "ada", "info": {"name": "Ada"}}
    assert members["members"] == {"ada": {"name": "Ada"}, "bob": {"name": "Bob"}}
    assert bob.hear("pusher:member_added", lobby).data == {"id": "ada", "info": {"name": "Ada"}}


def _users_told(client: PusherJs, event: str) -> list[list[str]]:
    return [told.data for told in client.heard(event, source="watchlist")]


@pytest.mark.feature(Feature.WATCHLIST)
def test_a_watchlist_tells_who_comes_online_and_goes_offline_but_no_turn_of_a_page(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    ann, bob, cyd = unique("ann"), unique("bob"), unique("cyd")
    anns = pusher_js(ann)
    anns.sign_in()
    ada = pusher_js("ada", watching=[ann, bob, cyd])
    ada.sign_in()
    ada.expect("online", source="watchlist", data=[ann])
    ada.expect("offline", source="watchlist", data=[bob, cyd])
    bobs, cyds, another = pusher_js(bob), pusher_js(cyd), pusher_js(cyd)
    for client, name in ((bobs, bob), (cyds, cyd)):
        client.sign_in()
        ada.expect("online", source="watchlist", data=[name])
    another.sign_in()
    bobs.reconnect()
    cyds.disconnect()
    bobs.expect("pusher:signin_success", source="frame")
    another.disconnect()
    ada.expect("offline", source="watchlist", data=[cyd])
    assert _users_told(ada, "online") == [[ann], [bob], [cyd]]
    assert _users_told(ada, "offline") == [[bob, cyd], [cyd]]


@pytest.mark.feature(Feature.WATCHLIST)
@pytest.mark.app(max_watchlist=1)
def test_a_watchlist_that_is_too_long_is_cut_and_told_4302(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    ada = pusher_js("ada", watching=["bob", "cyd"])
    ada.sign_in()
    ada.expect("offline", source="watchlist", data=["bob"])
    error = ada.expect("error", source="error").data["data"]
    assert error["code"] == 4302
    assert "bob" in error["message"]
    assert "cyd" not in error["message"]
    assert ada.states() == ["connected"]


@pytest.mark.feature(Feature.TERMINATE)
def test_terminating_a_user_stops_every_connection_that_has_signed_in_as_him(
    pusher_js: NewPusherJs, backend: Backend, publisher: NpmPusher, unique: Unique
) -> None:
    user, other, lobby = unique("ada"), unique("bob"), unique("presence-lobby")
    first, second, bob, guest = pusher_js(user), pusher_js(user), pusher_js(other), pusher_js(user)
    for client in (first, second, bob):
        client.sign_in()
    guest.subscribe(lobby, "last")  # a member of that name, who has not signed in
    bob.subscribe(lobby, "last")
    backend.terminate(user)
    for client in (first, second):
        client.expect_goodbye(4009)
    publisher.trigger(lobby, "last", None)
    for client in (bob, guest):
        client.hear("last", lobby)
        assert client.states() == ["connected"]
