"""Cache channels: who subscribes hears first what was published last."""

from __future__ import annotations

import json

import pytest

from tests.clients.backends import Backend, NpmPusher
from tests.clients.features import Feature
from tests.clients.sdks import NewEcho, NewPusherJs, Unique

SUCCEEDED = "pusher_internal:subscription_succeeded"


@pytest.mark.feature(Feature.CACHE_MISS)
@pytest.mark.parametrize("kind", ["cache", "private-cache", "presence-cache"])
def test_a_subscriber_is_told_that_nothing_has_been_published(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique, kind: str
) -> None:
    prices = unique(f"{kind}-prices")
    ada = pusher_js("ada")
    ada.subscribe(prices, "price")
    ada.hear("pusher:cache_miss", prices)
    publisher.trigger(prices, "price", 1)
    ada.hear_frame("price", prices)
    assert ada.frames(prices) == [SUCCEEDED, "pusher:cache_miss", "price"]


@pytest.mark.feature(Feature.CACHE_REPLAY)
def test_a_subscriber_gets_the_newest_event_that_nobody_was_there_to_hear(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    prices, ada = unique("cache-prices"), pusher_js("ada")
    backend.trigger(prices, "price", {"€": 1})
    backend.trigger(prices, "price", {"€": 2})
    ada.subscribe(prices, "price")
    assert ada.hear("price", prices).data == {"€": 2}
    backend.trigger(prices, "price", {"€": 3})
    assert ada.hear("price", prices).data == {"€": 3}
    assert len(ada.has_heard("price", prices)) == 2


@pytest.mark.feature(Feature.CACHE_REPLAY)
def test_an_event_that_left_somebody_out_is_remembered_too(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    prices = unique("cache-prices")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    ada.subscribe(prices, "price")
    publisher.trigger(prices, "price", 1, but=ada.socket_id)
    bob.subscribe(prices, "price")
    assert bob.hear("price", prices).data == 1


@pytest.mark.feature(Feature.CACHE_REPLAY)
def test_echo_hears_the_newest_event(echo: NewEcho, publisher: NpmPusher, unique: Unique) -> None:
    prices, ada = unique("cache-prices"), echo("ada")
    publisher.trigger(prices, "PriceChanged", 7)
    ada.open("channel", prices, ".PriceChanged")
    assert ada.hear(".PriceChanged", prices).data == 7


@pytest.mark.feature(Feature.CACHE_KINDS)
@pytest.mark.parametrize("kind", ["private-cache", "presence-cache", "private-encrypted-cache"])
def test_cache_channels_of_other_kinds_tell_the_newest_event_after_all_else(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique, kind: str
) -> None:
    prices = unique(f"{kind}-prices")
    ada = pusher_js("ada", build="pusher-js/with-encryption")
    publisher.trigger(prices, "price", 1)
    publisher.trigger(prices, "price", {"€": 2})
    ada.subscribe(prices, "price")
    assert ada.hear("price", prices).data == {"€": 2}
    ada.hear_frame("price", prices)
    assert ada.frames(prices) == [SUCCEEDED, "price"]


@pytest.mark.feature(Feature.CACHE_OF_EVENTS)
@pytest.mark.parametrize("kind", ["private-cache", "presence-cache"])
def test_client_events_and_members_are_not_remembered(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique, kind: str
) -> None:
    room = unique(f"{kind}-room")
    ada, bob, cyd = pusher_js("ada"), pusher_js("bob"), pusher_js("cyd")
    for client in (ada, bob):
        client.subscribe(room, "client-wave")
    ada.trigger(room, "client-wave", {})
    bob.hear("client-wave", room)
    cyd.subscribe(room, "note")
    publisher.trigger(room, "note", 1)
    cyd.hear_frame("note", room)
    assert cyd.frames(room) == [SUCCEEDED, "pusher:cache_miss", "note"]


@pytest.mark.feature(Feature.CACHE_INFO)
def test_a_backend_may_ask_what_is_remembered(backend: Backend, unique: Unique) -> None:
    prices = unique("cache-prices")
    assert backend.channel(prices, "cache") == {"occupied": False, "cache": None}
    backend.trigger(prices, "price", {"€": 7})
    cache = backend.channel(prices, "cache")["cache"]
    assert json.loads(cache["data"]) == {"€": 7}
    assert 0 < cache["ttl"] <= 1800
