"""pysher (PyPI), a client in Python."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.clients.backends import NpmPusher
from tests.clients.features import Feature
from tests.clients.pysher_client import NewPysher, PysherClient
from tests.clients.relay import Relay
from tests.clients.sdks import Unique


@pytest.mark.feature(Feature.CONNECTING)
def test_it_has_a_socket_id_and_its_first_ping_is_answered(pysher: NewPysher) -> None:
    ada = pysher("ada")
    assert re.fullmatch(r"\d+\.\d+", ada.socket_id, re.ASCII)
    ada.expect("pusher:pong", source="frame")


@pytest.mark.feature(Feature.PUBLIC)
def test_it_hears_a_public_channel_in_order(
    pysher: NewPysher, publisher: NpmPusher, unique: Unique
) -> None:
    orders, ada = unique("orders"), pysher("ada")
    ada.subscribe(orders, "note")
    for number in range(10):
        publisher.trigger(orders, "note", {"n": number})
    for number in range(10):
        assert json.loads(ada.hear("note", orders).data) == {"n": number}


@pytest.mark.feature(Feature.ANY_TEXT)
def test_texts_of_any_script_arrive_unchanged(
    pysher: NewPysher, publisher: NpmPusher, unique: Unique
) -> None:
    orders, ada = unique("orders"), pysher("ada")
    ada.subscribe(orders, "App\\Events\\Größe")
    publisher.trigger(orders, "App\\Events\\Größe", {"text": 'Zoë 👩🏽‍🚀 "\\\n'})
    heard = json.loads(ada.hear("App\\Events\\Größe", orders).data)
    assert heard == {"text": 'Zoë 👩🏽‍🚀 "\\\n'}


@pytest.mark.feature(Feature.CONFIRMED)
def test_a_confirmed_subscription_has_data(pysher: NewPysher, unique: Unique) -> None:
    ada = pysher("ada")
    for channel in (unique("orders"), unique("private-desk"), unique("cache-prices")):
        assert ada.subscribe(channel) == "{}"


@pytest.mark.feature(Feature.PRIVATE)
def test_it_opens_a_private_channel(
    pysher: NewPysher, publisher: NpmPusher, unique: Unique
) -> None:
    desk, ada = unique("private-desk"), pysher("ada")
    ada.subscribe(desk, "note")
    publisher.trigger(desk, "note", "psst")
    assert ada.hear("note", desk).data == "psst"


@pytest.mark.feature(Feature.REFUSED)
def test_a_wrong_signature_is_told_and_the_connection_stays_open(
    pysher: NewPysher, relay: Relay, unique: Unique
) -> None:
    desk, news = unique("private-desk"), unique("news")
    mallory = pysher("mallory", relay.with_app(secret="a guess"))
    mallory.ask_to_subscribe(desk)
    assert mallory.hear_frame("pusher:subscription_error", desk).data["status"] == 401
    mallory.subscribe(news)


@pytest.mark.feature(Feature.UNSUBSCRIBING)
def test_an_unsubscribed_channel_is_silent(
    pysher: NewPysher, publisher: NpmPusher, unique: Unique
) -> None:
    orders, news, ada = unique("orders"), unique("news"), pysher("ada")
    ada.subscribe(orders, "note")
    ada.unsubscribe(orders)
    ada.subscribe(news, "note")
    publisher.trigger([orders, news], "note", 1)
    ada.hear("note", news)
    assert "note" not in ada.frames(orders)


@pytest.mark.feature(Feature.PRESENCE)
def test_it_hears_who_is_here_who_joins_and_who_leaves(pysher: NewPysher, unique: Unique) -> None:
    def heard(client: PysherClient, event: str) -> Any:
        return json.loads(client.hear_frame(f"pusher_internal:{event}", lobby).data)

    lobby, ada, bob = unique("presence-lobby"), pysher("ada"), pysher("bob")
    ada.subscribe(lobby)
    here = json.loads(bob.subscribe(lobby))["presence"]
    assert here["count"] == 2
    assert sorted(here["ids"]) == ["ada", "bob"]
    assert here["hash"] == {"ada": {"name": "Ada"}, "bob": {"name": "Bob"}}
    assert heard(ada, "member_added") == {"user_id": "bob", "user_info": {"name": "Bob"}}
    bob.disconnect()
    assert heard(ada, "member_removed") == {"user_id": "bob"}


@pytest.mark.feature(Feature.WHISPERS)
def test_its_client_events_reach_the_others(pysher: NewPysher, unique: Unique) -> None:
    desk, ada, bob = unique("private-desk"), pysher("ada"), pysher("bob")
    for client in (ada, bob):
        client.subscribe(desk, "client-typing")
    ada.trigger(desk, "client-typing", "from ada")
    assert bob.hear("client-typing", desk).data == "from ada"
    bob.trigger(desk, "client-typing", "from bob")
    assert ada.hear("client-typing", desk).data == "from bob"


@pytest.mark.feature(Feature.WHISPERS_AS_TEXT)
def test_the_data_of_a_client_event_is_a_text(pysher: NewPysher, unique: Unique) -> None:
    desk, ada, bob = unique("private-desk"), pysher("ada"), pysher("bob")
    for client in (ada, bob):
        client.subscribe(desk, "client-typing")
    ada.trigger(desk, "client-typing", {"who": "Ada"})
    heard = bob.hear("client-typing", desk).data
    assert isinstance(heard, str)
    assert json.loads(heard) == {"who": "Ada"}


@pytest.mark.feature(Feature.PUBLISH_TO_OTHERS)
def test_it_does_not_hear_what_leaves_it_out(
    pysher: NewPysher, publisher: NpmPusher, unique: Unique
) -> None:
    orders, ada = unique("orders"), pysher("ada")
    ada.subscribe(orders, "note")
    publisher.trigger(orders, "note", 1, but=ada.socket_id)
    publisher.trigger(orders, "note", 2)
    assert ada.hear("note", orders).data == "2"


@pytest.mark.feature(Feature.CACHE_REPLAY)
def test_it_hears_the_newest_event_of_a_cache_channel(
    pysher: NewPysher, publisher: NpmPusher, unique: Unique
) -> None:
    prices, ada = unique("cache-prices"), pysher("ada")
    for number in (1, 2):
        publisher.trigger(prices, "price", number)
    ada.ask_to_subscribe(prices)
    assert ada.hear_frame("price", prices).data == "2"


@pytest.mark.feature(Feature.CACHE_MISS)
def test_it_is_told_of_an_empty_cache(pysher: NewPysher, unique: Unique) -> None:
    prices, ada = unique("cache-prices"), pysher("ada")
    ada.ask_to_subscribe(prices)
    ada.hear_frame("pusher:cache_miss", prices)
