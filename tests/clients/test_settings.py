"""What the settings of an app change for its clients and backends.

Every test has an app of its own, so that none of them can run against a server elsewhere.
"""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.clients.backends import Backend, NpmPusher, refused_with
from tests.clients.features import Feature
from tests.clients.relay import Relay
from tests.clients.sdks import NewPusherJs, PusherJs, Unique

IN_NODE = pytest.mark.parametrize("home", ["node_process"], ids=["node"], indirect=True)


@pytest.mark.feature(Feature.COUNTS)
@pytest.mark.app(subscription_count=True)
def test_subscribers_are_told_how_many_they_are(pusher_js: NewPusherJs, unique: Unique) -> None:
    news, lobby = unique("news"), unique("presence-lobby")

    def counts(client: PusherJs) -> list[int]:
        told = client.has_heard("pusher:subscription_count", news)
        return [data["subscription_count"] for data in told]

    ada, bob = pusher_js("ada"), pusher_js("bob")
    ada.subscribe(news)
    ada.hear("pusher:subscription_count", news)
    bob.subscribe(news)
    bob.hear("pusher:subscription_count", news)
    ada.hear("pusher:subscription_count", news)
    bob.disconnect()
    ada.hear("pusher:subscription_count", news)
    assert counts(ada) == [1, 2, 1]
    assert counts(bob) == [2]
    ada.subscribe(lobby)
    ada.unsubscribe(news)
    ada.subscribe(news)
    ada.hear("pusher:subscription_count", news)
    assert ada.frames(lobby) == ["pusher_internal:subscription_succeeded"]


@pytest.mark.feature(Feature.ORIGINS)
@pytest.mark.app(allowed_origins=["example.com", "*.example.com"])
def test_who_is_not_on_a_page_of_an_allowed_origin_is_told_4009(pusher_js: NewPusherJs) -> None:
    assert "allowed_origins" in pusher_js("mallory").expect_goodbye(4009)


@pytest.mark.feature(Feature.ORIGINS)
@pytest.mark.parametrize(
    "home",
    [
        pytest.param("tab", marks=pytest.mark.app(allowed_origins=["127.0.0.1"]), id="name"),
        pytest.param("tab", marks=pytest.mark.app(allowed_origins=["*.0.0.1"]), id="pattern"),
    ],
    indirect=True,
)
def test_a_page_of_an_allowed_origin_may_connect(pusher_js: NewPusherJs) -> None:
    pusher_js("ada").expect("connected", source="state")


@pytest.mark.feature(Feature.DUTY)
@pytest.mark.app(authorization_timeout=2)
def test_a_connection_that_authorises_nothing_in_time_is_told_4009(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    desk, news = unique("private-desk"), unique("news")
    ada = pusher_js("ada")
    ada.sign_in("note")
    bob = pusher_js("bob")
    bob.subscribe(desk, "note")
    idle, public = pusher_js("idle"), pusher_js("public")
    public.subscribe(news)
    for client in (idle, public):
        assert "authorization_timeout" in client.expect_goodbye(4009)
    publisher.send_to_user("ada", "note", 1)
    publisher.trigger(desk, "note", 2)
    assert ada.hear_as_user("note") == 1
    assert bob.hear("note", desk).data == 2


@pytest.mark.feature(Feature.QUOTA)
@pytest.mark.app(max_connections=2)
def test_a_connection_above_the_quota_is_told_4004_until_another_has_gone(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    ada.subscribe(lobby)
    bob.subscribe(lobby)
    assert "max_connections" in pusher_js("cyd").expect_goodbye(4004)
    bob.disconnect()
    ada.hear("pusher:member_removed", lobby)
    pusher_js("cyd").expect("connected", source="state")
    assert ada.states() == ["connected"]


@pytest.mark.feature(Feature.DISABLED)
@pytest.mark.app(enabled=False)
def test_the_clients_of_a_disabled_app_are_told_4003(pusher_js: NewPusherJs) -> None:
    pusher_js("ada").expect_goodbye(4003)


@pytest.mark.feature(Feature.DISABLED)
@pytest.mark.app(enabled=False)
def test_the_backends_of_a_disabled_app_are_told_403(backend: Backend) -> None:
    assert refused_with(lambda: backend.trigger("news", "note", {})) == 403
    assert refused_with(lambda: backend.channels("")) == 403


@IN_NODE
@pytest.mark.feature(Feature.RATES)
@pytest.mark.app(event_rate=0.01)
def test_a_backend_that_publishes_too_often_is_told_429_and_nothing_is_delivered(
    visitor: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    news, ada = unique("news"), visitor("ada")
    ada.subscribe(news, "note")
    backend.trigger(news, "note", 1)
    assert refused_with(lambda: backend.trigger(news, "note", 2)) == 429
    batch = [{"channel": news, "name": "note", "data": "3"}]
    assert refused_with(lambda: backend.batch(batch)) == 429
    ada.subscribe(unique("last"))  # answered after all that was delivered
    assert ada.has_heard("note", news) == [1]


@pytest.mark.feature(Feature.RATES)
@pytest.mark.app(read_rate=0.01)
def test_a_backend_that_asks_too_often_is_told_429(backend: Backend) -> None:
    assert backend.channels("") == {"channels": {}}
    assert refused_with(lambda: backend.channels("")) == 429
    assert refused_with(lambda: backend.channel("news")) == 429


@pytest.mark.feature(Feature.RATES)
@pytest.mark.app(read_rate=0.01)
def test_429_says_in_its_headers_what_the_limit_is_and_when_to_come_back(
    npm_pusher: NpmPusher,
) -> None:
    npm_pusher.channels("")
    with pytest.raises(HTTPError) as refused:
        urlopen(npm_pusher.signed_url("GET", "/channels"))
    with refused.value as answer:
        assert answer.status == 429
        assert 90 <= int(answer.headers["Retry-After"]) <= 100
        assert answer.headers["X-RateLimit-Limit"] == "0.01"
        assert answer.headers["X-RateLimit-Remaining"] == "0"


@pytest.mark.feature(Feature.WHISPER_RIGHTS)
@pytest.mark.app(client_events="all")
def test_client_events_may_be_allowed_on_public_channels(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    news = unique("news")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    for client in (ada, bob):
        client.subscribe(news, "client-wave")
    ada.trigger(news, "client-wave", {"n": 1})
    assert bob.hear("client-wave", news).data == {"n": 1}


@pytest.mark.feature(Feature.WHISPER_RIGHTS)
@pytest.mark.app(client_events="off")
def test_client_events_may_be_switched_off(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    _whisper_and_be_refused(pusher_js, publisher, unique("private-desk"), [])


@pytest.mark.feature(Feature.WHISPER_RIGHTS)
@pytest.mark.app(client_event_rate=0.01)
def test_client_events_above_the_rate_are_told_4301(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    _whisper_and_be_refused(pusher_js, publisher, unique("private-desk"), [1])


def _whisper_and_be_refused(
    pusher_js: NewPusherJs, publisher: NpmPusher, desk: str, passed: list[int]
) -> None:
    ada, bob = pusher_js("ada"), pusher_js("bob")
    for client in (ada, bob):
        client.subscribe(desk, "client-wave", "note")
    for number in (1, 2):
        ada.trigger(desk, "client-wave", number)
    assert ada.expect("error", source="error").data["data"]["code"] == 4301
    publisher.trigger(desk, "note", None)
    for client in (ada, bob):
        client.hear("note", desk)
    assert bob.has_heard("client-wave", desk) == passed
    assert ada.states() == ["connected"]


@pytest.mark.feature(Feature.MEMBERS)
@pytest.mark.app(max_presence_members=2)
def test_a_full_presence_channel_refuses_the_next_user_but_not_another_tab(
    pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    for user in ("ada", "bob", "bob"):
        pusher_js(user).subscribe(lobby)
    refusal = pusher_js("cyd").refusal(lobby)
    assert (refusal["type"], refusal["status"]) == ("LimitReached", 403)
    assert "max_presence_members" in refusal["error"]


@pytest.mark.feature(Feature.DIALECTS)
@pytest.mark.parametrize(
    ("as_pusher", "as_soketi"),
    [
        pytest.param(True, False, marks=pytest.mark.app(error_dialect="pusher"), id="pusher"),
        pytest.param(True, True, marks=pytest.mark.app(error_dialect="both"), id="both"),
        pytest.param(False, True, marks=pytest.mark.app(error_dialect="soketi"), id="soketi"),
    ],
)
def test_a_refused_subscription_is_told_in_the_dialect_of_the_app(
    pusher_js: NewPusherJs,
    publisher: NpmPusher,
    relay: Relay,
    unique: Unique,
    as_pusher: bool,
    as_soketi: bool,
) -> None:
    desk, news = unique("private-desk"), unique("news")
    mallory = pusher_js("mallory", publisher.against(relay.with_app(secret="a guess")))
    mallory.home.ask("subscribe", channel=desk, events=[])
    told = []
    if as_pusher:
        error = mallory.expect("error", source="error").data["data"]
        assert error["code"] is None
        assert error["message"]
    if as_soketi:
        told = ["pusher:subscription_error"]
        mallory.hear(told[0], desk)
    mallory.subscribe(news)
    assert mallory.frames(desk) == told
    assert len(mallory.heard("error", source="error")) == int(as_pusher)
    assert mallory.states() == ["connected"]


@pytest.mark.feature(Feature.APPS)
@pytest.mark.app
def test_two_apps_on_one_server_do_not_hear_each_other(
    pusher_js: NewPusherJs, backend: Backend, usual_relay: Relay, unique: Unique
) -> None:
    lobby, user = unique("presence-lobby"), unique("ada")
    usual = backend.against(usual_relay)
    ada, bob = pusher_js(user), pusher_js(user, usual, key=usual_relay.app.key)
    for client in (ada, bob):
        client.sign_in("note")
        assert client.subscribe(lobby, "note", "client-wave")["count"] == 1
    ada.trigger(lobby, "client-wave", {})
    for number, app in enumerate((backend, usual), 1):
        app.trigger(lobby, "note", number)
        app.send_to_user(user, "note", number)
    for number, client in enumerate((ada, bob), 1):
        assert client.hear_as_user("note") == number
        assert client.has_heard("note", lobby) == [number]
        assert len(client.heard("note", source="user")) == 1
        assert client.has_heard("client-wave", lobby) == []
    assert backend.users(lobby) == {"users": [{"id": user}]}
    backend.terminate(user)
    ada.expect_goodbye(4009)
    usual.trigger(lobby, "note", "still here")
    bob.hear("note", lobby)
