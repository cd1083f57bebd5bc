"""wsrelay.pusher.memberships: as one client sees it, who subscribes and leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.doubles import APP, an_app
from tests.pusher.relayed import (
    Client,
    Relayed,
    channel_data,
    error,
    member_added,
    member_removed,
    said,
    snapshot,
    subscription_error,
    succeeded,
    told,
)
from wsrelay.core.channel import Channel
from wsrelay.core.errors import Code
from wsrelay.core.notices import (
    CacheMissed,
    ChannelOccupied,
    ChannelVacated,
    MemberAdded,
    MemberRemoved,
    SubscriptionDenied,
)

ROOM = "presence-room"
CACHE_MISS = {"event": "pusher:cache_miss", "data": "{}"}

# -- channels without presence -----------------------------------------------------------------


@pytest.mark.parametrize(
    "channel",
    ["room", "my-cache-room", "private-room", "private-encrypted-room", "cacheable", "a=@,.;b"],
)
def test_a_subscription_succeeds_and_events_come(relayed: Relayed, channel: str) -> None:
    client = relayed.connect()
    client.subscribe(channel)
    assert client.heard() == [succeeded(channel)]
    relayed.publish(channel)
    assert client.heard() == [told(channel)]


@pytest.mark.parametrize("auth", ["", None, 5, "any:thing"])
def test_a_public_channel_asks_for_no_token(relayed: Relayed, auth: Any) -> None:
    client = relayed.connect()
    client.subscribe("room", auth=auth)
    assert client.heard() == [succeeded("room")]


def test_subscribing_again_is_answered_again_and_brings_nothing_twice(relayed: Relayed) -> None:
    client = relayed.connect()
    client.subscribe("room")
    client.subscribe("room")
    assert client.heard() == [succeeded("room")] * 2
    relayed.publish("room")
    assert client.heard() == [told("room")]
    client.unsubscribe("room")
    assert len(relayed.hub) == 0


def test_subscribing_again_needs_no_token_again(relayed: Relayed) -> None:
    client = relayed.connect()
    client.subscribe("private-room")
    client.subscribe("private-room", auth="")
    assert client.heard() == [succeeded("private-room")] * 2


def test_who_has_left_hears_nothing_more_and_gets_no_answer(relayed: Relayed) -> None:
    client = relayed.connect()
    client.subscribe("room")
    client.heard()
    client.unsubscribe("room")
    relayed.publish("room")
    assert client.heard() == []
    assert relayed.notices.of(ChannelVacated) == [ChannelVacated(APP.id, "room")]


@pytest.mark.parametrize(
    "channel", ["room", "presence-room", "", "not a name", "#server-to-user-1"]
)
def test_leaving_what_was_never_joined_is_silent(relayed: Relayed, channel: str) -> None:
    client = relayed.connect()
    client.unsubscribe(channel)
    assert client.heard() == []
    assert relayed.tally.rejected(Code.BAD_MESSAGE) == 0


def test_a_connection_that_is_excluded_from_a_publish_does_not_get_it(relayed: Relayed) -> None:
    ada, bob = relayed.connect(), relayed.connect()
    for client in (ada, bob):
        client.subscribe("room")
        client.subscribe("hall")
        client.heard()
    relayed.publish(["room", "hall"], socket_id=ada.socket_id)
    assert ada.heard() == []
    assert bob.heard() == [told("room"), told("hall")]


# -- cache channels ----------------------------------------------------------------------------


def test_who_comes_to_a_cache_channel_hears_its_last_event_first(relayed: Relayed) -> None:
    relayed.publish("cache-room", "older")
    relayed.publish("cache-room", "newer")
    client = relayed.connect()
    client.subscribe("cache-room")
    assert client.heard() == [succeeded("cache-room"), told("cache-room", "newer")]


def test_a_cache_channel_with_nothing_to_tell_says_so(relayed: Relayed) -> None:
    client = relayed.connect()
    client.subscribe("private-cache-room")
    assert client.heard() == [
        succeeded("private-cache-room"),
        CACHE_MISS | {"channel": "private-cache-room"},
    ]
    assert relayed.notices.of(CacheMissed) == [CacheMissed(APP.id, "private-cache-room")]


def test_a_presence_cache_channel_sends_its_snapshot_and_then_its_event(relayed: Relayed) -> None:
    relayed.publish("presence-cache-room")
    client = relayed.connect()
    client.join("presence-cache-room", "ada")
    assert client.heard() == [
        snapshot("presence-cache-room", ada=None),
        told("presence-cache-room"),
    ]


def test_whispers_and_members_are_not_what_a_cache_channel_remembers(relayed: Relayed) -> None:
    ada, bob = relayed.connect(), relayed.connect()
    ada.join("presence-cache-room", "ada")
    ada.whisper("presence-cache-room")
    bob.join("presence-cache-room", "bob")
    assert bob.heard()[1:] == [CACHE_MISS | {"channel": "presence-cache-room"}]


# -- presence ----------------------------------------------------------------------------------


def test_the_joiner_gets_the_snapshot_and_the_others_hear_of_him(relayed: Relayed) -> None:
    ada, bob = relayed.connect(), relayed.connect()
    ada.join(ROOM, "ada", {"name": "Ada"})
    assert ada.heard() == [snapshot(ROOM, ada={"name": "Ada"})]
    bob.join(ROOM, "bob", True)
    assert bob.heard() == [snapshot(ROOM, ada={"name": "Ada"}, bob=True)]
    assert ada.heard() == [member_added(ROOM, "bob", True)]


def test_ids_that_look_like_numbers_keep_their_order_and_stay_strings(relayed: Relayed) -> None:
    for user_id in ("10", "9", "007"):
        (client := relayed.connect()).join(ROOM, user_id)
    (heard,) = client.heard()
    presence = json.loads(heard["data"])["presence"]
    assert presence["ids"] == ["10", "9", "007"]
    assert presence["hash"] == {"10": None, "9": None, "007": None}


@pytest.mark.parametrize("data", ['{"user_id":42}', '{"user_id":"42"}'])
def test_a_user_id_that_is_a_number_is_the_same_user_as_its_text(
    relayed: Relayed, data: str
) -> None:
    relayed.connect().join(ROOM, "42")
    client = relayed.connect()
    client.subscribe(ROOM, data)
    assert client.heard() == [snapshot(ROOM, **{"42": None})]


def test_a_second_tab_joins_and_leaves_without_a_word_to_others(relayed: Relayed) -> None:
    bob, first, second = relayed.connect(), relayed.connect(), relayed.connect()
    bob.join(ROOM, "bob")
    first.join(ROOM, "ada", 1)
    second.join(ROOM, "ada", 2)
    assert second.heard() == [snapshot(ROOM, bob=None, ada=1)]
    assert bob.heard()[1:] == [member_added(ROOM, "ada", 1)]
    first.unsubscribe(ROOM)
    assert bob.heard() == []
    second.vanish()
    assert bob.heard() == [member_removed(ROOM, "ada")]
    assert len(relayed.notices.of(MemberAdded)) == 2
    assert relayed.notices.of(MemberRemoved) == [MemberRemoved(APP.id, ROOM, "ada")]


def test_the_users_own_tabs_hear_of_others_but_not_of_himself(relayed: Relayed) -> None:
    first, second, bob = relayed.connect(), relayed.connect(), relayed.connect()
    first.join(ROOM, "ada")
    second.join(ROOM, "ada")
    bob.join(ROOM, "bob")
    assert first.heard() == [snapshot(ROOM, ada=None), member_added(ROOM, "bob")]
    assert second.heard() == [snapshot(ROOM, ada=None), member_added(ROOM, "bob")]


def test_joining_again_is_answered_with_who_is_in_now_and_changes_nobody(relayed: Relayed) -> None:
    ada, bob = relayed.connect(), relayed.connect()
    ada.join(ROOM, "ada", 1)
    bob.join(ROOM, "bob")
    ada.heard()
    ada.join(ROOM, "eve", 2)  # the first channel_data stays in force
    assert ada.heard() == [snapshot(ROOM, ada=1, bob=None)]
    assert bob.heard()[1:] == []
    ada.whisper(ROOM)
    assert bob.heard() == [said(ROOM, user_id="ada")]
    ada.vanish()
    assert bob.heard() == [member_removed(ROOM, "ada")]


def test_who_leaves_and_comes_back_is_announced_again(relayed: Relayed) -> None:
    ada, bob = relayed.connect(), relayed.connect()
    bob.join(ROOM, "bob")
    ada.join(ROOM, "ada")
    ada.unsubscribe(ROOM)
    ada.join(ROOM, "ada")
    assert bob.heard()[1:] == [
        member_added(ROOM, "ada"),
        member_removed(ROOM, "ada"),
        member_added(ROOM, "ada"),
    ]


def test_a_lost_connection_is_announced_gone_once_in_every_channel(relayed: Relayed) -> None:
    ada, bob = relayed.connect(), relayed.connect()
    for channel in ("presence-a", "presence-b"):
        ada.join(channel, "ada")
        bob.join(channel, "bob")
    bob.heard()
    ada.vanish()
    heard = bob.heard()
    assert len(heard) == 2
    assert member_removed("presence-a", "ada") in heard
    assert member_removed("presence-b", "ada") in heard
    bob.vanish()
    relayed.assert_empty()


def test_one_connection_may_be_different_users_in_different_channels(relayed: Relayed) -> None:
    client, other = relayed.connect(), relayed.connect()
    for channel, user_id in (("presence-a", "ada"), ("presence-b", "bob")):
        other.join(channel, "eve")
        client.join(channel, user_id)
        other.heard()
        client.whisper(channel)
        assert other.heard() == [said(channel, user_id=user_id)]


def test_channel_data_that_is_an_object_is_taken_for_its_compact_text(relayed: Relayed) -> None:
    client = relayed.connect()
    text = '{"user_id":"42","user_info":{"name":"Ada"}}'
    auth = client.token(ROOM, text)
    said = f'{{"channel":"{ROOM}","auth":"{auth}","channel_data":{text}}}'
    client.says(f'{{"event":"pusher:subscribe","data":{said}}}')
    assert client.heard() == [snapshot(ROOM, **{"42": {"name": "Ada"}})]


def test_who_left_a_channel_is_nobody_there_any_more(relayed: Relayed) -> None:
    client = relayed.connect()
    client.join(ROOM, "ada")
    memberships = client.session._memberships
    assert memberships.user_id(ROOM) == "ada"
    client.unsubscribe(ROOM)
    assert memberships.user_id(ROOM) is None
    assert memberships.channel(ROOM) is None


# -- refusals: the connection stays open -------------------------------------------------------


def refused(client: Client, status: int, kind: str, message: str, channel: str = ROOM) -> None:
    assert client.heard() == [subscription_error(channel, status, kind, message)]
    assert client.closed is None
    client.says({"event": "pusher:ping"})
    assert client.heard() == [{"event": "pusher:pong", "data": {}}]


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        ("", "a channel's name must not be empty"),
        ("a room", "a channel's name may hold letters, digits and _ - = @ , . ; only"),
        ("private-a:b", "a channel's name may hold letters, digits and _ - = @ , . ; only"),
        ("#watchlist-42", "a channel's name may hold letters, digits and _ - = @ , . ; only"),
        (
            "r" * 201,
            "the channel's name has 201 characters, the limit is 200 (max_channel_name_length)",
        ),
    ],
)
def test_a_bad_name_is_400(relayed: Relayed, channel: str, message: str) -> None:
    client = relayed.connect()
    client.subscribe(channel)
    refused(client, 400, "InvalidName", message, channel)


def test_a_name_may_be_as_long_as_the_limit(relayed: Relayed) -> None:
    client = relayed.connect()
    client.subscribe("r" * 200)
    assert client.heard() == [succeeded("r" * 200)]


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (
            "",
            "private-room needs an auth token: the client's authEndpoint has to return one",
        ),
        (
            None,
            "private-room needs an auth token: the client's authEndpoint has to return one",
        ),
        (
            {"key": "value"},
            "private-room needs an auth token: the client's authEndpoint has to return one",
        ),
        ("no colon", "the auth token must have the form KEY:SIGNATURE"),
        (
            "other:" + "0" * 64,
            "the auth token was made with another app's key: "
            "the backend and the client must use the same app",
        ),
        (
            APP.key + ":" + "0" * 64,
            "the signature is wrong: expected the HMAC-SHA256 (hex) of socket_id:channel_name, "
            "made with this app's secret for this connection's socket_id",
        ),
    ],
)
def test_a_bad_token_is_401(relayed: Relayed, auth: Any, message: str) -> None:
    client = relayed.connect()
    client.subscribe("private-room", auth=auth)
    refused(client, 401, "AuthError", message, "private-room")
    assert len(relayed.hub) == 0


def test_the_operator_and_not_the_client_is_told_what_had_to_be_signed(relayed: Relayed) -> None:
    client = relayed.connect()
    client.subscribe("private-room", auth=f"{APP.key}:wrong")
    (denied,) = relayed.notices.of(SubscriptionDenied)
    assert isinstance(denied, SubscriptionDenied)
    assert denied.expected == f"{client.socket_id}:private-room"
    assert (denied.app_id, denied.channel, denied.status) == (APP.id, "private-room", 401)
    assert denied.expected not in json.dumps(client.heard())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "a presence channel needs channel_data with a user_id, or a sign-in before"),
        ("{", "channel_data is not valid JSON"),
        ('{"user_info":1}', "channel_data: Object missing required field `user_id`"),
        ('{"user_id":""}', "channel_data: user_id must not be empty"),
        ('{"user_id":1e400}', "channel_data: Number out of range - at `$.user_id`"),
    ],
)
def test_bad_channel_data_is_400(relayed: Relayed, data: str | None, message: str) -> None:
    client = relayed.connect()
    client.subscribe(ROOM, data)
    refused(client, 400, "AuthError", message)
    assert relayed.members(ROOM) == []


def test_a_user_id_may_be_as_long_as_the_limit_and_no_longer(relayed: Relayed) -> None:
    client = relayed.connect()
    client.join("presence-hall", "é" * 128)
    assert client.heard() == [snapshot("presence-hall", **{"é" * 128: None})]
    client.join(ROOM, "é" * 129)
    message = "user_id has 129 characters, the limit is 128 (max_user_id_length)"
    refused(client, 413, "LimitReached", message)


def test_user_info_may_be_as_large_as_the_limit_and_no_larger() -> None:
    relayed = Relayed(an_app(max_user_info_bytes=10))
    client = relayed.connect()
    client.subscribe(
        "presence-hall", '{"user_id":"1","user_info": [ "23", "78" ] }'.replace("3", "")
    )
    assert client.heard() == [snapshot("presence-hall", **{"1": ["2", "78"]})]
    client.subscribe(ROOM, '{"user_id":"1","user_info":["23", "789"]}')
    message = "user_info has 12 bytes, the limit is 10 (max_user_info_bytes)"
    refused(client, 413, "LimitReached", message)


@pytest.mark.parametrize("data", ['{"user_id":"1"}', '{"user_id":"1","user_info":null}'])
def test_who_brings_no_user_info_joins_where_none_is_allowed(data: str) -> None:
    client = Relayed(an_app(max_user_info_bytes=0)).connect()
    client.subscribe(ROOM, data)
    assert client.heard() == [snapshot(ROOM, **{"1": None})]


def test_as_many_users_may_be_in_as_the_limit_with_any_number_of_tabs() -> None:
    relayed = Relayed(an_app(max_presence_members=2))
    for user_id in ("ada", "bob", "ada", "bob"):
        (client := relayed.connect()).join(ROOM, user_id)
        assert client.heard()[0]["event"] == "pusher_internal:subscription_succeeded"
    client = relayed.connect()
    client.join(ROOM, "cyd")
    message = "the channel has 2 members, its limit (max_presence_members)"
    refused(client, 403, "LimitReached", message)
    assert relayed.members(ROOM) == ["ada", "bob"]
    assert relayed.hub.subscription_count(APP.id, ROOM) == 4


def test_a_connection_may_have_as_many_subscriptions_as_the_limit() -> None:
    client = Relayed(an_app(max_subscriptions=2)).connect()
    client.subscribe("a")
    client.subscribe("b")
    client.subscribe("a")
    assert client.heard() == [succeeded("a"), succeeded("b"), succeeded("a")]
    client.subscribe("c")
    message = "this connection has 2 subscriptions, its limit (max_subscriptions)"
    refused(client, 403, "LimitReached", message, "c")
    client.unsubscribe("a")
    client.subscribe("c")
    assert client.heard() == [succeeded("c")]


def test_a_refused_subscription_occupies_nothing(relayed: Relayed) -> None:
    client = relayed.connect()
    client.subscribe("private-room", auth="")
    client.subscribe(ROOM, "{")
    client.subscribe("#server-to-user-42")
    assert relayed.notices.of(ChannelOccupied) == []
    client.vanish()
    relayed.assert_empty()


@pytest.mark.parametrize(
    ("dialect", "shapes"),
    [
        ("soketi", ["pusher:subscription_error"]),
        ("pusher", ["pusher:error"]),
        ("both", ["pusher:subscription_error", "pusher:error"]),
    ],
)
def test_a_failure_is_told_in_the_dialect_of_the_app(dialect: str, shapes: list[str]) -> None:
    client = Relayed(an_app(error_dialect=dialect)).connect()
    client.subscribe("private-room", auth="")
    message = "private-room needs an auth token: the client's authEndpoint has to return one"
    forms = {
        "pusher:subscription_error": subscription_error("private-room", 401, "AuthError", message),
        "pusher:error": error(None, message),
    }
    assert client.heard() == [forms[shape] for shape in shapes]
    assert client.closed is None


# -- who has signed in -------------------------------------------------------------------------


def test_a_signed_in_user_may_subscribe_to_his_own_channel_and_to_no_others(
    relayed: Relayed,
) -> None:
    client = relayed.connect()
    own = "#server-to-user-42"
    client.subscribe(own)
    refused(client, 401, "AuthError", f"{own} needs a sign-in as that user", own)
    client.sign_in("42")
    client.heard()
    client.subscribe(own)
    assert client.heard() == [succeeded(own)]
    client.subscribe(f"{own}0")
    refused(client, 401, "AuthError", f"{own}0 needs a sign-in as that user", f"{own}0")


def test_a_signed_in_user_needs_no_channel_data(relayed: Relayed) -> None:
    client = relayed.connect()
    client.sign_in("42", user_info={"name": "Ada"})
    client.heard()
    client.subscribe(ROOM)
    assert client.heard() == [snapshot(ROOM, **{"42": {"name": "Ada"}})]


def test_where_there_are_both_channel_data_counts(relayed: Relayed) -> None:
    client = relayed.connect()
    client.sign_in("42", user_info={"name": "Ada"})
    client.heard()
    client.subscribe(ROOM, channel_data("43"))
    assert client.heard() == [snapshot(ROOM, **{"43": None})]


def test_a_fault_of_ours_during_a_join_is_answered_and_the_connection_stays_usable(
    relayed: Relayed,
) -> None:
    client = relayed.connect()

    async def fails(*_: object) -> None:
        raise OSError("lost")

    attend, relayed.bus.attend = relayed.bus.attend, fails  # type: ignore[assignment]
    client.session.receive(b'{"event":"pusher:subscribe","data":{"channel":"room"}}')
    (refused,) = client.heard()
    assert (refused["event"], refused["channel"]) == ("pusher:subscription_error", "room")
    assert refused["data"]["status"] == 500
    assert "lost" not in refused["data"]["error"]
    assert [failure.type for failure in relayed.tasks.failures] == [OSError]
    relayed.tasks.failures.clear()
    relayed.bus.attend = attend  # type: ignore[method-assign]
    client.subscribe("room")
    (succeeded,) = client.heard()
    assert succeeded["event"] == "pusher_internal:subscription_succeeded"


def test_a_channel_that_cannot_be_left_does_not_keep_the_others(relayed: Relayed) -> None:
    client = relayed.connect()
    for name in ("first", "second", "third"):
        client.subscribe(name)
    client.heard()
    unsubscribe = relayed.relay.unsubscribe

    async def fails_once(app_id: str, channel: Channel, socket_id: str) -> None:
        await unsubscribe(app_id, channel, socket_id)
        if channel.name == "third":
            raise OSError("lost")

    relayed.relay.unsubscribe = fails_once  # type: ignore[method-assign]
    client.session.lost(1006, "")
    assert [failure.type for failure in relayed.tasks.failures] == [OSError]
    relayed.tasks.failures.clear()
    relayed.assert_empty()
