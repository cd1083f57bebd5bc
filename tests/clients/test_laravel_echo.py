"""laravel-echo, 2 and 1.16, under Node and in Chromium, set up as a Laravel page sets it up."""

from __future__ import annotations

import pytest

from tests.clients.backends import Backend, NpmPusher
from tests.clients.features import Feature
from tests.clients.relay import Relay
from tests.clients.sdks import NewEcho, Unique


@pytest.mark.feature(Feature.ANY_TEXT)
def test_listen_hears_an_event_by_its_laravel_class_name(
    echo: NewEcho, backend: Backend, unique: Unique
) -> None:
    orders = unique("orders")
    ada = echo("ada")
    ada.open("channel", orders, "OrderShipped", ".order.shipped")
    backend.trigger(orders, "App\\Events\\OrderShipped", {"id": 7})
    backend.trigger(orders, "order.shipped", {"id": 8})
    assert ada.hear("OrderShipped", orders).data == {"id": 7}
    assert ada.hear(".order.shipped", orders).data == {"id": 8}


@pytest.mark.feature(Feature.PUBLIC)
def test_a_session_description_of_several_kilobytes_arrives_whole(
    echo: NewEcho, publisher: NpmPusher, unique: Unique
) -> None:
    user = unique("user.42")
    candidates = "a=candidate:1 1 udp 2122260223 192.0.2.1 49203 typ host\r\n" * 100
    offer = {"from_user_id": 7, "room_id": 1, "sdp": "v=0\r\n" + candidates}
    bob = echo("bob")
    bob.open("channel", user, ".webrtc.offer")
    publisher.trigger(user, "webrtc.offer", offer)
    assert bob.hear(".webrtc.offer", user).data == offer


@pytest.mark.feature(Feature.PUBLISH_TO_OTHERS)
def test_to_others_leaves_out_the_page_that_caused_the_event(
    echo: NewEcho, backend: Backend, unique: Unique
) -> None:
    room = unique("room.1")
    ada, bob = echo("ada"), echo("bob")
    for client in (ada, bob):
        client.open("channel", room, "ChatMessageSent")
    backend.trigger(room, "App\\Events\\ChatMessageSent", "from ada", but=ada.socket_id)
    backend.trigger(room, "App\\Events\\ChatMessageSent", "from bob", but=bob.socket_id)
    assert ada.hear("ChatMessageSent", room).data == "from bob"
    assert bob.hear("ChatMessageSent", room).data == "from ada"
    assert ada.has_heard("ChatMessageSent", room) == ["from bob"]


@pytest.mark.feature(Feature.PRIVATE)
def test_private_listens_with_the_signature_of_the_auth_end_point(
    echo: NewEcho, backend: Backend, unique: Unique
) -> None:
    desk = unique("desk")
    ada = echo("ada", backend)
    ada.open("private", desk, "OrderShipped")
    backend.trigger(f"private-{desk}", "App\\Events\\OrderShipped", {"id": 7})
    assert ada.hear("OrderShipped", desk).data == {"id": 7}


@pytest.mark.feature(Feature.PRIVATE)
def test_error_tells_of_a_channel_that_the_auth_end_point_denies(
    echo: NewEcho, unique: Unique
) -> None:
    ada = echo("ada")
    assert ada.refusal("private", unique("forbidden"))["status"] == 403
    assert ada.refusal("join", unique("forbidden"))["status"] == 403


@pytest.mark.feature(Feature.REFUSED)
def test_error_tells_of_a_wrong_signature(
    echo: NewEcho, publisher: NpmPusher, relay: Relay, unique: Unique
) -> None:
    mallory = echo("mallory", publisher.against(relay.with_app(secret="a guess")))
    assert mallory.refusal("private", unique("desk"))["status"] == 401
    mallory.open("channel", unique("news"))


@pytest.mark.feature(Feature.PRESENCE)
def test_join_tells_who_is_here_who_is_joining_and_who_is_leaving(
    echo: NewEcho, unique: Unique
) -> None:
    office = unique("office")
    ada, bob = echo("ada"), echo("bob")
    ada.open("join", office)
    assert ada.hear("here", office).data == [{"name": "Ada"}]
    bob.open("join", office)
    here = bob.hear("here", office).data
    assert sorted(here, key=lambda person: person["name"]) == [{"name": "Ada"}, {"name": "Bob"}]
    assert ada.hear("joining", office).data == {"name": "Bob"}
    bob.disconnect()
    assert ada.hear("leaving", office).data == {"name": "Bob"}
    assert bob.has_heard("joining", office) == []


@pytest.mark.feature(Feature.PRESENCE_OF_CRASHES)
def test_a_page_that_crashes_is_leaving(echo: NewEcho, unique: Unique) -> None:
    office = unique("office")
    ada, bob = echo("ada"), echo("bob")
    ada.open("join", office)
    bob.open("join", office)
    ada.hear("joining", office)
    bob.vanish()
    assert ada.hear("leaving", office).data == {"name": "Bob"}


@pytest.mark.feature(Feature.UNSUBSCRIBING)
def test_leave_leaves_the_channels_of_every_kind(
    echo: NewEcho, publisher: NpmPusher, unique: Unique
) -> None:
    office, news = unique("office"), unique("news")
    ada, bob = echo("ada"), echo("bob")
    ada.open("join", office)
    for how in ("channel", "private", "join"):
        bob.open(how, office, ".note")
    ada.hear("joining", office)
    bob.leave(office)
    assert ada.hear("leaving", office).data == {"name": "Bob"}
    bob.open("channel", news, ".note")
    left = [office, f"private-{office}", f"presence-{office}"]
    publisher.trigger([*left, news], "note", 1)
    bob.hear(".note", news)
    assert ["note" in bob.frames(channel) for channel in left] == [False, False, False]


@pytest.mark.feature(Feature.WHISPERS)
def test_a_whisper_reaches_the_others_and_not_the_whisperer(echo: NewEcho, unique: Unique) -> None:
    desk = unique("desk")
    for how in ("private", "join"):
        ada, bob = echo("ada"), echo("bob")
        for client in (ada, bob):
            client.open(how, desk, whispers=["typing"])
        ada.whisper(how, desk, "typing", {"who": "Ada"})
        assert bob.hear("whisper typing", desk).data == {"who": "Ada"}
        bob.whisper(how, desk, "typing", {"who": "Bob"})
        ada.hear("whisper typing", desk)
        assert ada.has_heard("whisper typing", desk) == [{"who": "Bob"}]
