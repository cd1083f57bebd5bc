"""wsrelay.pusher.whispering: which client events are passed on, and how they arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.doubles import APP, an_app
from tests.properties import json_texts
from tests.pusher.relayed import Client, Relayed, error, said
from wsrelay.core.apps import Webhook
from wsrelay.core.channel import Channel
from wsrelay.core.errors import Code, EventRejected
from wsrelay.core.notices import ClientEventSent
from wsrelay.pusher.messages import ClientEvent
from wsrelay.pusher.whispering import whispered_in

NEEDS_PRIVATE = (
    "client events need a private or presence channel (client_events = 'all' admits public ones)"
)
ENCRYPTED = "encrypted channels and a user's own channel carry no client events"
OFF = "client events are off for this app (client_events)"


def two_in(channel: str, relayed: Relayed) -> tuple[Client, Client]:
    ada, bob = relayed.connect(), relayed.connect()
    for client, user_id in ((ada, "ada"), (bob, "bob")):
        if channel.startswith("presence-"):
            client.join(channel, user_id)
        else:
            client.subscribe(channel)
    ada.heard()
    bob.heard()
    return ada, bob


def rejected(relayed: Relayed, sender: Client, other: Client, message: str) -> None:
    assert sender.heard() == [error(4301, message)]
    assert other.heard() == []
    assert sender.closed is None
    assert relayed.tally.rejected(Code.CLIENT_EVENT_REJECTED) == 1


# -- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["private-room", "private-cache-room"])
def test_others_hear_a_whisper_and_its_sender_does_not(relayed: Relayed, channel: str) -> None:
    ada, bob = two_in(channel, relayed)
    ada.whisper(channel)
    assert bob.heard() == [said(channel)]
    assert ada.heard() == []
    assert relayed.tally.client_events == 1


@pytest.mark.parametrize("channel", ["presence-room", "presence-cache-room"])
def test_on_presence_channels_a_whisper_says_whose_it_is(relayed: Relayed, channel: str) -> None:
    ada, bob = two_in(channel, relayed)
    ada.whisper(channel)
    assert bob.heard() == [said(channel, user_id="ada")]


@pytest.mark.parametrize("channel", ["private-room", "presence-room"])
def test_no_key_of_the_message_but_event_channel_and_data_is_passed_on(
    relayed: Relayed, channel: str
) -> None:
    ada, bob = two_in(channel, relayed)
    ada.says(said(channel) | {"user_id": "admin", "socket_id": "1.1", "x": {"y": 1}})
    assert bob.heard() == [said(channel, user_id="ada" if channel == "presence-room" else None)]


@pytest.mark.parametrize(
    "channel", ["private-room", "presence-room", "room", "private-encrypted-a"]
)
def test_nobody_whispers_where_client_events_are_off(channel: str) -> None:
    relayed = Relayed(an_app(client_events="off"))
    ada, bob = two_in(channel, relayed)
    ada.whisper(channel)
    rejected(relayed, ada, bob, OFF)


@pytest.mark.parametrize("channel", ["room", "cache-room"])
def test_on_public_channels_nobody_whispers(relayed: Relayed, channel: str) -> None:
    ada, bob = two_in(channel, relayed)
    ada.whisper(channel)
    rejected(relayed, ada, bob, NEEDS_PRIVATE)


@pytest.mark.parametrize("channel", ["room", "cache-room"])
def test_on_public_channels_all_whisper_where_the_app_says_so(channel: str) -> None:
    ada, bob = two_in(channel, Relayed(an_app(client_events="all")))
    ada.whisper(channel)
    assert bob.heard() == [said(channel)]


@pytest.mark.parametrize("client_events", ["members", "all"])
@pytest.mark.parametrize("channel", ["private-encrypted-room", "private-encrypted-cache-room"])
def test_encrypted_channels_carry_no_whispers(client_events: str, channel: str) -> None:
    relayed = Relayed(an_app(client_events=client_events))
    ada, bob = two_in(channel, relayed)
    ada.whisper(channel)
    rejected(relayed, ada, bob, ENCRYPTED)


def test_a_users_own_channel_carries_no_whispers() -> None:
    relayed = Relayed(an_app(client_events="all"))
    tabs = relayed.connect(), relayed.connect()
    for tab in tabs:
        tab.sign_in("42")
        tab.subscribe("#server-to-user-42")
        tab.heard()
    tabs[0].whisper("#server-to-user-42")
    rejected(relayed, *tabs, ENCRYPTED)


@pytest.mark.parametrize("client_events", ["members", "all"])
def test_who_is_not_subscribed_cannot_whisper(client_events: str) -> None:
    relayed = Relayed(an_app(client_events=client_events))
    ada, bob = two_in("private-room", relayed)
    ada.unsubscribe("private-room")
    ada.whisper("private-room")
    message = "not subscribed to private-room: subscribe before sending client events"
    rejected(relayed, ada, bob, message)


def test_a_long_name_of_a_channel_is_cut_short_in_the_answer(relayed: Relayed) -> None:
    client = relayed.connect()
    client.whisper("private-" + "r" * 10_000)
    (heard,) = client.heard()
    assert len(heard["data"]["message"]) < 300


def test_a_whisper_is_for_its_own_channel_only(relayed: Relayed) -> None:
    ada, bob = two_in("private-room", relayed)
    bob.subscribe("private-hall")
    bob.heard()
    ada.whisper("private-hall")
    assert bob.heard() == []


# -- limits ------------------------------------------------------------------------------------


def test_an_events_name_may_be_as_long_as_the_limit() -> None:
    relayed = Relayed(an_app(max_event_name_length=10))
    ada, bob = two_in("private-room", relayed)
    ada.whisper("private-room", event="client-123")
    assert [message["event"] for message in bob.heard()] == ["client-123"]
    ada.whisper("private-room", event="client-1234")
    message = "the event's name has 11 characters, the limit is 10 (max_event_name_length)"
    rejected(relayed, ada, bob, message)


@pytest.mark.parametrize(
    ("at_limit", "above"),
    [
        ('"0123456789"', '"0123456789a"'),
        ('"\\u00eb\\u00eb\\u00eb\\u00eb\\u00eb"', '"\\u00eb\\u00eb\\u00eb\\u00eb\\u00eba"'),
        ('"ëëëëë"', '"ëëëëëa"'),
        ("[1,2,3,45]", "[1,2,3,456]"),
        ("1234567890", "12345678901"),
    ],
)
def test_data_may_be_as_large_as_the_limit_counted_as_text_in_utf8(
    at_limit: str, above: str
) -> None:
    relayed = Relayed(an_app(max_event_bytes=10))
    ada, bob = two_in("private-room", relayed)
    ada.says(f'{{"event":"client-e","channel":"private-room","data":{at_limit}}}')
    assert len(bob.heard()) == 1
    ada.says(f'{{"event":"client-e","channel":"private-room","data":{above}}}')
    rejected(relayed, ada, bob, "data has 11 bytes, the limit is 10 (max_event_bytes)")


def test_as_many_whispers_a_second_are_passed_on_as_the_rate_says() -> None:
    relayed = Relayed(an_app(client_event_rate=3))
    ada, bob = two_in("private-room", relayed)
    for _ in range(3):
        ada.whisper("private-room")
    assert len(bob.heard()) == 3
    ada.whisper("private-room")
    rejected(relayed, ada, bob, "more than 3 client events a second (client_event_rate)")
    relayed.clock.advance(1)
    ada.whisper("private-room")
    assert len(bob.heard()) == 1


def test_a_rate_may_be_less_than_one_a_second() -> None:
    relayed = Relayed(an_app(client_event_rate=0.5))
    ada, bob = two_in("private-room", relayed)
    ada.whisper("private-room")
    relayed.clock.advance(1.5)
    ada.whisper("private-room")
    assert ada.heard() == [error(4301, "more than 0.5 client events a second (client_event_rate)")]
    relayed.clock.advance(0.5)
    ada.whisper("private-room")
    assert len(bob.heard()) == 2


def test_the_rate_is_each_connections_own() -> None:
    relayed = Relayed(an_app(client_event_rate=1))
    ada, bob = two_in("private-room", relayed)
    ada.whisper("private-room")
    bob.whisper("private-room")
    assert (len(ada.heard()), len(bob.heard())) == (1, 1)


def test_without_a_rate_any_number_is_passed_on() -> None:
    ada, bob = two_in("private-room", Relayed(an_app(client_event_rate=0)))
    for _ in range(500):
        ada.whisper("private-room")
    assert len(bob.heard()) == 500


def test_what_is_rejected_for_another_reason_uses_up_nothing() -> None:
    relayed = Relayed(an_app(client_event_rate=1))
    ada, bob = two_in("private-room", relayed)
    for _ in range(5):
        ada.whisper("room")
    ada.whisper("private-room")
    assert len(bob.heard()) == 1


# -- what arrives ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "arrives"),
    [
        ('"x"', '"x"'),
        ('"Zo\\u00eb \\/"', '"Zo\\u00eb \\/"'),
        ('"{\\"a\\": 1}"', '"{\\"a\\": 1}"'),
        ('{"who": "Ada"}', '"{\\"who\\": \\"Ada\\"}"'),
        ('{\n\t"who":\r\n"Ada"\n}', '"{\\n\\t\\"who\\":\\r\\n\\"Ada\\"\\n}"'),
        ("[]", '"[]"'),
        ("null", '"null"'),
        ("1e400", '"1e400"'),
        ("true", '"true"'),
    ],
)
def test_data_arrives_as_a_string_and_a_string_byte_for_byte(
    relayed: Relayed, data: str, arrives: str
) -> None:
    ada, bob = two_in("private-room", relayed)
    ada.says(f'{{"event":"client-e","channel":"private-room","data":{data}}}')
    assert bob.door.frames[-1].payload.decode() == (
        f'{{"event":"client-e","channel":"private-room","data":{arrives}}}'
    )


def test_data_that_is_missing_arrives_as_null(relayed: Relayed) -> None:
    ada, bob = two_in("private-room", relayed)
    ada.says('{"event":"client-said","channel":"private-room"}')
    assert bob.heard() == [said("private-room", "null")]


@given(json_texts())
def test_whatever_json_is_whispered_arrives_as_a_string_that_means_it(data: str) -> None:
    ada, bob = two_in("private-room", Relayed())
    ada.says(f'{{"event":"client-e","channel":"private-room","data":{data}}}')
    (heard,) = bob.heard()
    assert heard.keys() == {"event", "channel", "data"}
    text = heard["data"]
    meaning: Any = text if data.startswith('"') else json.loads(text)
    assert meaning == json.loads(data)


# -- webhooks ----------------------------------------------------------------------------------


def test_the_observer_hears_of_whispers_where_an_app_has_webhooks() -> None:
    relayed = Relayed(an_app(webhooks=(Webhook(url="http://127.0.0.1/hook"),)))
    ada, _ = two_in("presence-room", relayed)
    ada.whisper("presence-room", {"a": 1})
    ada.whisper("presence-room", "Zoë")
    assert relayed.notices.of(ClientEventSent) == [
        ClientEventSent(APP.id, "presence-room", "client-said", data, ada.socket_id, "ada")
        for data in ('{"a": 1}', "Zoë")
    ]


def test_the_observer_hears_of_no_whisper_where_an_app_has_none(relayed: Relayed) -> None:
    ada, _ = two_in("private-room", relayed)
    ada.whisper("private-room")
    assert relayed.notices.of(ClientEventSent) == []


def test_a_refusal_is_4301_and_never_4300() -> None:
    with pytest.raises(EventRejected) as raised:
        whispered_in(APP, Channel("room"), ClientEvent("client-e", "room", b"1"))
    assert raised.value.code is Code.CLIENT_EVENT_REJECTED
    assert raised.value.message == NEEDS_PRIVATE
