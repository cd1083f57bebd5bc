"""The backend libraries of npm and PyPI publish: answers, attributes and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.clients.backends import Backend, NpmPusher, PyPiPusher, refused_with
from tests.clients.features import Feature
from tests.clients.program import CommandFailed, Program
from tests.clients.relay import Relay
from tests.clients.sdks import NewPusherJs, PusherJs, Unique


@pytest.fixture
def home(node_process: Callable[[], Program]) -> Callable[[], Program]:
    return node_process


@pytest.fixture
def audience(visitor: NewPusherJs, publisher: NpmPusher, unique: Unique) -> Iterator[PusherJs]:
    """A client in the channel "orders" of this test, to which in the end nothing has been sent."""
    client, orders = visitor("ada"), unique("orders")
    client.subscribe(orders, "last")
    yield client
    publisher.trigger(orders, "last", None)
    client.hear_frame("last", orders)
    assert client.frames(orders) == ["pusher_internal:subscription_succeeded", "last"]


@pytest.mark.feature(Feature.PUBLISH_ANSWER)
def test_a_trigger_that_reaches_nobody_is_answered_with_an_empty_object(
    backend: Backend, unique: Unique
) -> None:
    assert backend.trigger(unique("nobody"), "note", {}) == {}
    assert backend.trigger([unique(f"nobody-{n}") for n in range(100)], "note", {}) == {}
    assert backend.trigger(unique("nobody"), "note", {}, but="1.1") == {}


@pytest.mark.feature(Feature.PUBLISH_INFO)
def test_a_trigger_tells_the_counts_that_it_is_asked_for(
    visitor: NewPusherJs, npm_pusher: NpmPusher, unique: Unique
) -> None:
    news, lobby, empty = unique("news"), unique("presence-lobby"), unique("empty")
    for user in ("ada", "bob", "bob"):
        client = visitor(user)
        client.subscribe(news)
        client.subscribe(lobby)
    asked = "subscription_count,user_count"
    assert npm_pusher.trigger(lobby, "note", {}, info=asked) == {
        "channels": {lobby: {"subscription_count": 3, "user_count": 2}}
    }
    assert npm_pusher.trigger([news, empty], "note", {}, info="subscription_count") == {
        "channels": {news: {"subscription_count": 3}, empty: {"subscription_count": 0}}
    }


@pytest.mark.feature(Feature.PUBLISH_BATCH)
def test_a_batch_reaches_every_channel_in_its_order_and_leaves_out_whom_it_says(
    visitor: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    orders, news = unique("orders"), unique("news")
    ada, bob = visitor("ada"), visitor("bob")
    for client in (ada, bob):
        client.subscribe(orders, "note", "last")
        client.subscribe(news, "note")
    backend.batch(
        [
            {"channel": orders, "name": "note", "data": {"n": 1}},
            {"channel": news, "name": "note", "data": "Zoë", "socket_id": ada.socket_id},
            {"channel": orders, "name": "note", "data": {"n": 2}, "socket_id": "1.1"},
            {"channel": orders, "name": "last", "data": None},
        ]
    )
    for client in (ada, bob):
        client.hear("last", orders)
        assert client.has_heard("note", orders) == [{"n": 1}, {"n": 2}]
    assert ada.has_heard("note", news) == []
    assert bob.has_heard("note", news) == ["Zoë"]


@pytest.mark.feature(Feature.PUBLISH_BATCH_INFO)
def test_a_batch_tells_for_each_event_the_counts_that_it_is_asked_for(
    visitor: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    news, lobby = unique("news"), unique("presence-lobby")
    for user in ("ada", "bob", "bob"):
        client = visitor(user)
        client.subscribe(news)
        client.subscribe(lobby)
    event = {"name": "note", "data": "{}"}
    answer = backend.batch(
        [
            {"channel": news, **event, "info": "subscription_count"},
            {"channel": news, **event},
            {"channel": lobby, **event, "info": "subscription_count,user_count"},
        ]
    )
    assert answer == {
        "batch": [{"subscription_count": 3}, {}, {"subscription_count": 3, "user_count": 2}]
    }


@pytest.mark.feature(Feature.WRONG_CREDENTIALS)
@pytest.mark.parametrize(
    ("credential", "status"),
    [({"secret": "a guess"}, 401), ({"key": "no-such-key"}, 401), ({"id": "404"}, 404)],
    ids=["wrong secret", "unknown key", "unknown app"],
)
def test_a_wrong_secret_or_key_is_told_401_and_an_unknown_app_404(
    backend: Backend,
    relay: Relay,
    audience: PusherJs,
    unique: Unique,
    credential: dict[str, str],
    status: int,
) -> None:
    stranger = backend.against(relay.with_app(**credential))
    assert refused_with(lambda: stranger.trigger(unique("orders"), "note", {})) == status
    assert refused_with(lambda: stranger.channels(unique("orders"))) == status


def test_who_signs_with_a_wrong_secret_is_not_told_the_right_one(
    npm_pusher: NpmPusher, relay: Relay, unique: Unique
) -> None:
    forger = npm_pusher.against(relay.with_app(secret="a guess"))
    with pytest.raises(CommandFailed) as refused:
        forger.trigger(unique("orders"), "note", {})
    assert refused.value.body
    assert relay.app.secret not in refused.value.body


@pytest.mark.feature(Feature.TOO_MUCH_DATA)
def test_npm_s_library_is_told_413_for_too_much_data(
    npm_pusher: NpmPusher, audience: PusherJs, unique: Unique
) -> None:
    much = "x" * 110_000
    assert refused_with(lambda: npm_pusher.trigger(unique("orders"), "note", much)) == 413


@pytest.mark.feature(Feature.TOO_MUCH_DATA)
def test_pypi_s_library_is_told_413_for_too_much_data(
    pypi_pusher: PyPiPusher, audience: PusherJs, unique: Unique
) -> None:
    # It looks at the size itself, but for batches that are encoded already.
    batch = [{"channel": unique("orders"), "name": "note", "data": "x" * 110_000}]
    assert refused_with(lambda: pypi_pusher.library.trigger_batch(batch, True)) == 413


@pytest.mark.feature(Feature.BROKEN_RULES)
@pytest.mark.parametrize(
    "others",
    [[f"many-{number}" for number in range(100)], ["not a channel"], ["x" * 201]],
    ids=["more than 100", "of a forbidden character", "too long"],
)
def test_a_trigger_with_a_wrong_channel_is_told_400_and_reaches_no_channel(
    npm_pusher: NpmPusher, audience: PusherJs, unique: Unique, others: list[str]
) -> None:
    body = {"name": "note", "channels": [unique("orders"), *others], "data": "{}"}
    assert refused_with(lambda: npm_pusher.post("/events", body)) == 400


@pytest.mark.feature(Feature.BROKEN_RULES)
@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "x" * 201}, {"name": "pusher:note"}, {"socket_id": "1"}, {"data": ...}],
    ids=["no name", "a long name", "a name of the protocol", "no socket_id", "no data"],
)
def test_a_trigger_that_breaks_a_rule_is_told_400_and_reaches_nobody(
    npm_pusher: NpmPusher, audience: PusherJs, unique: Unique, wrong: dict[str, object]
) -> None:
    body = {"name": "note", "channels": [unique("orders")], "data": "{}", **wrong}
    given = {key: value for key, value in body.items() if value is not ...}
    assert refused_with(lambda: npm_pusher.post("/events", given)) == 400


@pytest.mark.feature(Feature.BROKEN_RULES)
@pytest.mark.parametrize("other", [10, "pusher:note"], ids=["one too many", "one is wrong"])
def test_a_batch_that_breaks_a_rule_is_told_400_and_none_of_it_is_delivered(
    backend: Backend, audience: PusherJs, unique: Unique, other: int | str
) -> None:
    good = {"channel": unique("orders"), "name": "note", "data": "{}"}
    others = [good] * other if isinstance(other, int) else [{**good, "name": other}]
    assert refused_with(lambda: backend.batch([good, *others])) == 400
