"""What the backend libraries ask: channels, their counts and users, and connections."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.backends import Backend, NpmPusher, refused_with
from tests.clients.features import Feature
from tests.clients.program import Program
from tests.clients.sdks import NewPusherJs, Unique


@pytest.fixture
def home(node_process: Callable[[], Program]) -> Callable[[], Program]:
    return node_process


@pytest.fixture
def hall(visitor: NewPusherJs, unique: Unique) -> str:
    """The prefix of presence channels "…-a", with ada and two connections of bob, and "…-b"."""
    hall = unique("presence-hall")
    for user in ("ada", "bob", "bob"):
        visitor(user).subscribe(f"{hall}-a")
    visitor("ada").subscribe(f"{hall}-b")
    return hall


@pytest.mark.feature(Feature.LIST_CHANNELS)
def test_the_occupied_channels_are_listed_by_prefix(
    backend: Backend, hall: str, unique: Unique
) -> None:
    assert {*backend.channels(hall)["channels"]} == {f"{hall}-a", f"{hall}-b"}
    assert {*backend.channels(f"{hall}-b")["channels"]} == {f"{hall}-b"}
    assert {*backend.channels("")["channels"]} >= {f"{hall}-a", f"{hall}-b"}
    assert backend.channels(unique("presence-nobody")) == {"channels": {}}


@pytest.mark.feature(Feature.LIST_CHANNELS)
def test_a_channel_that_everybody_has_left_is_not_listed(
    visitor: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    news, orders = unique("list-news"), unique("list-orders")
    ada = visitor("ada")
    ada.subscribe(news)
    ada.unsubscribe(news)
    ada.subscribe(orders)  # answered after the unsubscription has been read
    listed = backend.channels("list-")["channels"]
    assert news not in listed
    assert orders in listed


@pytest.mark.feature(Feature.CHANNEL_COUNTS)
def test_listed_channels_have_the_counts_that_are_asked_for(backend: Backend, hall: str) -> None:
    a, b = f"{hall}-a", f"{hall}-b"
    assert backend.channels(hall) == {"channels": {a: {}, b: {}}}
    assert backend.channels(hall, "user_count") == {
        "channels": {a: {"user_count": 2}, b: {"user_count": 1}}
    }
    assert backend.channels(a, "user_count", "subscription_count") == {
        "channels": {a: {"user_count": 2, "subscription_count": 3}}
    }


@pytest.mark.feature(Feature.ONE_CHANNEL)
def test_a_channel_is_occupied_while_somebody_is_there(
    backend: Backend, hall: str, unique: Unique
) -> None:
    assert backend.channel(f"{hall}-a")["occupied"] is True
    assert backend.channel(unique("nobody"))["occupied"] is False


@pytest.mark.feature(Feature.CHANNEL_COUNTS)
def test_one_channel_has_the_counts_that_are_asked_for(
    backend: Backend, hall: str, unique: Unique
) -> None:
    nobody = unique("presence-nobody")
    asked = ("user_count", "subscription_count")
    assert backend.channel(f"{hall}-a") == {"occupied": True}
    assert backend.channel(f"{hall}-a", *asked) == {
        "occupied": True,
        "user_count": 2,
        "subscription_count": 3,
    }
    assert backend.channel(nobody, *asked) == {
        "occupied": False,
        "user_count": 0,
        "subscription_count": 0,
    }


@pytest.mark.feature(Feature.LIST_USERS)
def test_the_users_of_a_presence_channel_are_listed_once_each(
    backend: Backend, hall: str, unique: Unique
) -> None:
    users = backend.users(f"{hall}-a")["users"]
    assert sorted(users, key=lambda user: str(user["id"])) == [{"id": "ada"}, {"id": "bob"}]
    assert backend.users(unique("presence-nobody")) == {"users": []}


@pytest.mark.feature(Feature.BROKEN_RULES)
def test_a_question_that_only_presence_channels_can_answer_is_told_400_for_others(
    backend: Backend, unique: Unique
) -> None:
    news = unique("news")
    assert refused_with(lambda: backend.users(news)) == 400
    assert refused_with(lambda: backend.channel(news, "user_count")) == 400
    assert refused_with(lambda: backend.channels(news, "user_count")) == 400


@pytest.mark.feature(Feature.COUNT_CONNECTIONS)
def test_the_connections_of_the_app_are_counted(
    visitor: NewPusherJs, npm_pusher: NpmPusher
) -> None:
    for user in ("ada", "bob"):
        visitor(user).expect("connected", source="state")
    # Others' may still be closing.
    assert npm_pusher.get("/connections")["connections"] >= 2
