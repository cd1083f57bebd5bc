"""pusher-js under Node and in Chromium, with backends made with `pusher` of npm and of PyPI."""

from __future__ import annotations

import re

import pytest

from tests.clients.backends import Backend, NpmPusher
from tests.clients.features import Feature
from tests.clients.relay import Relay
from tests.clients.sdks import NewPusherJs, PusherJs, Unique


@pytest.mark.feature(Feature.CONNECTING)
def test_a_connected_client_has_a_socket_id_of_two_numbers(pusher_js: NewPusherJs) -> None:
    ada = pusher_js("ada")
    ada.expect("connected", source="state")
    assert re.fullmatch(r"\d+\.\d+", ada.socket_id, re.ASCII)
    assert ada.states() == ["connected"]


@pytest.mark.feature(Feature.UNKNOWN_KEY)
def test_a_client_with_an_unknown_key_is_told_4001_and_stops(pusher_js: NewPusherJs) -> None:
    stranger = pusher_js("stranger", key="no-such-key")
    error = stranger.expect("error", source="error").data["error"]
    assert error["data"]["code"] == 4001
    assert isinstance(error["data"]["message"], str)
    stranger.expect("disconnected", source="state")
    assert stranger.states() == ["disconnected"]


@pytest.mark.feature(Feature.CONNECTING)
def test_a_ping_of_the_client_is_answered(pusher_js: NewPusherJs) -> None:
    ada = pusher_js("ada", activityTimeout=100, pongTimeout=5000)
    for _ in range(3):
        ada.expect("pusher:pong", source="frame")
    assert ada.states() == ["connected"]


@pytest.mark.feature(Feature.PUBLIC)
def test_a_public_channel_receives_what_a_backend_triggers(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    orders = unique("orders")
    ada = pusher_js("ada")
    ada.subscribe(orders, "shipped")
    backend.trigger(orders, "shipped", {"id": 7})
    assert ada.hear("shipped", orders).data == {"id": 7}


@pytest.mark.feature(Feature.PUBLISH)
def test_one_trigger_reaches_every_channel_that_it_names(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    orders, news, other = unique("orders"), unique("news"), unique("other")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    for channel in (orders, news, other):
        ada.subscribe(channel, "note")
    bob.subscribe(news, "note")
    backend.trigger([orders, news], "note", {"n": 1})
    backend.trigger(other, "note", {"n": 2})
    ada.hear("note", other)
    assert ada.has_heard("note", orders) == [{"n": 1}]
    assert ada.has_heard("note", news) == [{"n": 1}]
    assert bob.hear("note", news).data == {"n": 1}


@pytest.mark.feature(Feature.PUBLIC)
def test_an_event_arrives_once_and_in_the_order_of_publishing(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    orders = unique("orders")
    ada = pusher_js("ada")
    ada.subscribe(orders, "note", "last")
    for number in range(20):
        publisher.trigger(orders, "note", number)
    publisher.trigger(orders, "last", None)
    ada.hear("last", orders)
    assert ada.has_heard("note", orders) == list(range(20))


@pytest.mark.feature(Feature.PUBLISH_TO_OTHERS)
def test_the_socket_that_a_trigger_excludes_does_not_receive_it(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    orders, news = unique("orders"), unique("news")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    for client in (ada, bob):
        client.subscribe(orders, "note")
        client.subscribe(news, "note")
    backend.trigger([orders, news], "note", "to others", but=ada.socket_id)
    backend.trigger([orders, news], "note", "to all")
    for channel in (orders, news):
        ada.hear("note", channel)
        assert ada.has_heard("note", channel) == ["to all"]
        bob.hear("note", channel)
        bob.hear("note", channel)
        assert bob.has_heard("note", channel) == ["to others", "to all"]


@pytest.mark.feature(Feature.UNSUBSCRIBING)
def test_an_unsubscribed_channel_is_silent(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    orders, news = unique("orders"), unique("news")
    ada = pusher_js("ada")
    ada.subscribe(orders, "note")
    ada.unsubscribe(orders)
    ada.subscribe(news, "note")  # answered after the unsubscription has been read
    publisher.trigger([orders, news], "note", 1)
    ada.hear("note", news)
    assert ada.frames(orders) == ["pusher_internal:subscription_succeeded"]


@pytest.mark.feature(Feature.RECONNECTING)
def test_a_client_that_reconnects_is_subscribed_again(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    desk = unique("private-desk")
    ada = pusher_js("ada")
    ada.subscribe(desk, "note")
    before = ada.socket_id
    ada.reconnect()
    ada.hear("pusher:subscription_succeeded", desk)
    assert ada.socket_id != before
    publisher.trigger(desk, "note", 1)
    assert ada.hear("note", desk).data == 1


@pytest.mark.feature(Feature.ANY_TEXT)
def test_event_names_with_backslashes_arrive_unchanged(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    orders, event = unique("orders"), "App\\Events\\OrderShipped"
    ada = pusher_js("ada")
    ada.subscribe(orders, event)
    backend.trigger(orders, event, {"id": 7})
    assert ada.hear(event, orders).data == {"id": 7}


@pytest.mark.feature(Feature.ANY_TEXT)
def test_texts_of_any_script_arrive_unchanged(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    orders = unique("orders")
    texts = ["Zoë", "👩🏽‍🚀 🇩🇪", "日本語", "العربية", "a\u2028b\u0000c\uffff", '"\\/\b\f\n\r\t']
    ada = pusher_js("ada")
    ada.subscribe(orders, "naïve ☃")
    backend.trigger(orders, "naïve ☃", {"texts": texts, "π": 3.14})
    assert ada.hear("naïve ☃", orders).data == {"texts": texts, "π": 3.14}


@pytest.mark.feature(Feature.PRIVATE)
def test_a_private_channel_opens_with_the_signature_of_a_backend(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    desk = unique("private-desk")
    ada = pusher_js("ada", backend)
    ada.subscribe(desk, "note")
    backend.trigger(desk, "note", "psst")
    assert ada.hear("note", desk).data == "psst"


@pytest.mark.feature(Feature.REFUSED)
def test_a_wrong_signature_is_refused_with_401_and_the_connection_stays_open(
    pusher_js: NewPusherJs, publisher: NpmPusher, relay: Relay, unique: Unique
) -> None:
    forger = publisher.against(relay.with_app(secret="a guess"))
    desk, lobby, news = unique("private-desk"), unique("presence-lobby"), unique("news")
    mallory = pusher_js("mallory", forger)
    for channel in (desk, lobby):
        refusal = mallory.refusal(channel)
        assert refusal["type"] == "AuthError"
        assert refusal["status"] == 401
    mallory.subscribe(news, "note")
    publisher.trigger([desk, lobby, news], "note", 1)
    mallory.hear("note", news)
    assert mallory.frames(desk) == mallory.frames(lobby) == ["pusher:subscription_error"]
    assert mallory.states() == ["connected"]


@pytest.mark.feature(Feature.PRIVATE)
def test_a_client_that_its_backend_denies_is_told_403(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    ada = pusher_js("ada", backend)
    assert ada.refusal(unique("private-forbidden"))["status"] == 403
    ada.subscribe(unique("private-desk"))


@pytest.mark.feature(Feature.PRESENCE)
def test_a_presence_channel_shows_a_client_itself(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    zoe = pusher_js("zoë 🦊", backend)
    members = zoe.subscribe(unique("presence-lobby"))
    assert members["count"] == 1
    assert members["myID"] == "zoë 🦊"
    assert members["me"] == {"id": "zoë 🦊", "info": {"name": "Zoë 🦊"}}
    assert members["members"] == {"zoë 🦊": {"name": "Zoë 🦊"}}


@pytest.mark.feature(Feature.PRESENCE)
def test_a_presence_channel_tells_who_is_there_who_joins_and_who_leaves(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    ada.subscribe(lobby)
    there = bob.subscribe(lobby)
    assert there["count"] == 2
    assert there["members"] == {"ada": {"name": "Ada"}, "bob": {"name": "Bob"}}
    assert ada.hear("pusher:member_added", lobby).data == {"id": "bob", "info": {"name": "Bob"}}
    assert ada.members(lobby)["count"] == 2
    bob.unsubscribe(lobby)
    assert ada.hear("pusher:member_removed", lobby).data == {"id": "bob", "info": {"name": "Bob"}}
    assert ada.members(lobby)["members"] == {"ada": {"name": "Ada"}}
    assert bob.has_heard("pusher:member_added", lobby) == []


@pytest.mark.feature(Feature.PRESENCE_OF_TABS)
def test_a_user_with_two_tabs_joins_once_and_leaves_with_the_last(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    ada, cyd = pusher_js("ada"), pusher_js("cyd")
    first, second = pusher_js("bob"), pusher_js("bob")
    ada.subscribe(lobby)
    assert first.subscribe(lobby)["count"] == 2
    assert second.subscribe(lobby)["count"] == 2
    first.unsubscribe(lobby)
    first.subscribe(unique("news"))  # answered after the unsubscription has been read
    assert cyd.subscribe(lobby)["count"] == 3
    second.disconnect()
    ada.hear("pusher:member_removed", lobby)
    cyd.unsubscribe(lobby)
    last = {"user_id": "cyd"}
    ada.expect("pusher_internal:member_removed", source="frame", channel=lobby, data=last)

    # The frames tell, because pusher-js keeps a second removal of the same user to itself.
    def told(client: PusherJs, event: str) -> list[str]:
        frames = client.heard(f"pusher_internal:{event}", source="frame", channel=lobby)
        return [frame.data["user_id"] for frame in frames]

    assert told(ada, "member_added") == ["bob", "cyd"]
    assert told(ada, "member_removed") == ["bob", "cyd"]
    assert told(first, "member_added") == []
    assert told(second, "member_added") == ["cyd"]


@pytest.mark.feature(Feature.PRESENCE_OF_CRASHES)
def test_a_client_that_vanishes_without_a_close_frame_leaves_its_presence_channels(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    ada.subscribe(lobby)
    bob.subscribe(lobby)
    ada.hear("pusher:member_added", lobby)
    bob.vanish()
    assert ada.hear("pusher:member_removed", lobby).data["id"] == "bob"
    assert ada.members(lobby)["count"] == 1


@pytest.mark.feature(Feature.WHISPERS)
def test_a_client_event_reaches_all_others_and_never_its_sender(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    desk = unique("private-desk")
    ada, bob, cyd = pusher_js("ada"), pusher_js("bob"), pusher_js("cyd")
    for client in (ada, bob, cyd):
        client.subscribe(desk, "client-typing")
    ada.trigger(desk, "client-typing", {"who": "ada"})
    for client in (bob, cyd):
        heard = client.hear("client-typing", desk)
        assert heard.data == {"who": "ada"}
        assert heard.user_id is None
    bob.trigger(desk, "client-typing", {"who": "bob"})
    ada.hear("client-typing", desk)
    assert ada.has_heard("client-typing", desk) == [{"who": "bob"}]


@pytest.mark.feature(Feature.WHISPERS)
def test_a_client_event_on_a_presence_channel_says_whose_it_is(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    for client in (ada, bob):
        client.subscribe(lobby, "client-wave")
    ada.trigger(lobby, "client-wave", {"user_id": "mallory"})
    heard = bob.hear("client-wave", lobby)
    assert heard.data == {"user_id": "mallory"}
    assert heard.user_id == "ada"


@pytest.mark.feature(Feature.WHISPERS_IN_PUBLIC)
def test_a_client_event_on_a_public_channel_is_refused_and_reaches_nobody(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    news = unique("news")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    ada.subscribe(news, "client-wave", "note")
    bob.subscribe(news, "client-wave", "note")
    ada.trigger(news, "client-wave", {})
    ada.expect("error", source="error")
    publisher.trigger(news, "note", 1)
    bob.hear("note", news)
    assert bob.has_heard("client-wave", news) == []
    assert ada.states() == ["connected"]


@pytest.mark.feature(Feature.WHISPERS_OF_STRANGERS)
def test_a_client_event_on_a_channel_that_its_sender_is_not_in_reaches_nobody(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    desk = unique("private-desk")
    ada, mallory = pusher_js("ada"), pusher_js("mallory")
    ada.subscribe(desk, "client-wave", "note")
    mallory.expect("connected", source="state")
    mallory.send("client-wave", {}, desk)
    mallory.subscribe(unique("news"))  # answered after the client event has been read
    publisher.trigger(desk, "note", 1)
    ada.hear("note", desk)
    assert ada.has_heard("client-wave", desk) == []
    assert mallory.states() == ["connected"]


@pytest.mark.feature(Feature.UNKNOWN_EVENTS)
def test_events_of_the_protocol_that_nobody_knows_are_ignored(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    news = unique("news")
    ada = pusher_js("ada")
    ada.expect("connected", source="state")
    ada.send("pusher:dance", {"steps": [1, 2, 3]})
    ada.send("pusher:dance", None, news)
    ada.subscribe(news, "note")
    publisher.trigger(news, "note", 1)
    ada.hear("note", news)
    assert ada.states() == ["connected"]
    assert ada.heard("error", source="error") == []
