"""The backend libraries of npm and PyPI against the HTTP API: answers, attributes and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pusher.errors import PusherBadAuth, PusherBadStatus  # type: ignore[import-untyped]

from tests.clients.backends import Backend, NpmPusher, PyPiPusher
from tests.clients.program import CommandFailed, Program
from tests.clients.relay import Relay
from tests.clients.sdks import NewPusherJs, PusherJs, Unique


@pytest.fixture
def home(node_process: Callable[[], Program]) -> Callable[[], Program]:
    return node_process


@pytest.fixture
def audience(pusher_js: NewPusherJs, npm_pusher: NpmPusher, unique: Unique) -> Iterator[PusherJs]:
    """A client in the channel "orders" of this test, to which in the end nothing has been sent."""
    client, orders = pusher_js("ada"), unique("orders")
    client.subscribe(orders, "last")
    yield client
    npm_pusher.trigger(orders, "last", None)
    client.hear_frame("last", orders)
    assert client.frames(orders) == ["pusher_internal:subscription_succeeded", "last"]


def test_a_trigger_that_reaches_nobody_is_answered_with_an_empty_object(
    backend: Backend, unique: Unique
) -> None:
    assert backend.trigger(unique("nobody"), "note", {}) == {}
    assert backend.trigger([unique(f"nobody-{n}") for n in range(100)], "note", {}) == {}
    assert backend.trigger(unique("nobody"), "note", {}, but="1.1") == {}


def test_a_trigger_tells_the_counts_that_it_is_asked_for(
    pusher_js: NewPusherJs, npm_pusher: NpmPusher, unique: Unique
) -> None:
    news, lobby, empty = unique("news"), unique("presence-lobby"), unique("empty")
    for user in ("ada", "bob", "bob"):
        client = pusher_js(user)
        client.subscribe(news)
        client.subscribe(lobby)
    asked = "subscription_count,user_count"
    assert npm_pusher.trigger(lobby, "note", {}, info=asked) == {
        "channels": {lobby: {"subscription_count": 3, "user_count": 2}}
    }
    assert npm_pusher.trigger([news, empty], "note", {}, info="subscription_count") == {
        "channels": {news: {"subscription_count": 3}, empty: {"subscription_count": 0}}
    }


def test_npm_s_library_is_told_401_for_a_wrong_secret(
    npm_pusher: NpmPusher, relay: Relay, audience: PusherJs, unique: Unique
) -> None:
    forger = npm_pusher.against(relay.with_app(secret="a guess"))
    with pytest.raises(CommandFailed) as refused:
        forger.trigger(unique("orders"), "note", {})
    assert refused.value.status == 401
    assert relay.app.secret not in str(refused.value.body)


def test_pypi_s_library_is_told_401_for_a_wrong_secret(
    relay: Relay, audience: PusherJs, unique: Unique
) -> None:
    with closing(PyPiPusher(relay.with_app(secret="a guess"))) as forger:
        with pytest.raises(PusherBadAuth) as refused:
            forger.trigger(unique("orders"), "note", {})
        assert relay.app.secret not in str(refused.value)


@pytest.mark.parametrize(
    ("credential", "status"), [({"key": "no-such-key"}, 401), ({"id": "404"}, 404)], ids=str
)
def test_an_unknown_key_is_told_401_and_an_unknown_app_404(
    npm_pusher: NpmPusher, relay: Relay, unique: Unique, credential: dict[str, str], status: int
) -> None:
    stranger = npm_pusher.against(relay.with_app(**credential))
    with pytest.raises(CommandFailed) as refused:
        stranger.trigger(unique("orders"), "note", {})
    assert refused.value.status == status


def test_npm_s_library_is_told_413_for_too_much_data(
    npm_pusher: NpmPusher, audience: PusherJs, unique: Unique
) -> None:
    with pytest.raises(CommandFailed) as refused:
        npm_pusher.trigger(unique("orders"), "note", "x" * 110_000)
    assert refused.value.status == 413


def test_pypi_s_library_is_told_413_for_too_much_data(
    pypi_pusher: PyPiPusher, audience: PusherJs, unique: Unique
) -> None:
    # It sends no more than 30 KB itself.
    with pytest.raises(PusherBadStatus, match=r"^413: "):
        pypi_pusher.trigger(unique("orders"), "note", "x" * 20_000)


@pytest.mark.parametrize(
    "others",
    [[f"many-{number}" for number in range(100)], ["not a channel"], ["x" * 201]],
    ids=["more than 100", "of a forbidden character", "too long"],
)
def test_a_trigger_with_a_wrong_channel_is_told_400_and_reaches_no_channel(
    npm_pusher: NpmPusher, audience: PusherJs, unique: Unique, others: list[str]
) -> None:
    body = {"name": "note", "channels": [unique("orders"), *others], "data": "{}"}
    with pytest.raises(CommandFailed) as refused:
        npm_pusher.post("/events", body)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "x" * 201}, {"name": "pusher:note"}, {"socket_id": "1"}, {"data": ...}],
    ids=["no name", "a long name", "a name of the protocol", "no socket_id", "no data"],
)
def test_a_trigger_that_breaks_a_rule_is_told_400_and_reaches_nobody(
    npm_pusher: NpmPusher, audience: PusherJs, unique: Unique, wrong: dict[str, object]
) -> None:
    body = {"name": "note", "channels": [unique("orders")], "data": "{}", **wrong}
    with pytest.raises(CommandFailed) as refused:
        npm_pusher.post("/events", {key: value for key, value in body.items() if value is not ...})
    assert refused.value.status == 400
