"""wsrelay.pusher.session: coming, being understood, going.

What happens while an answer is waited for is in test_session_waiting.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import APP, an_app
from tests.properties import json_texts, json_values, texts
from tests.pusher.relayed import Relayed, error, said, succeeded
from wsrelay.core.errors import Code
from wsrelay.core.notices import ConnectionClosed, ConnectionDenied, ConnectionOpened
from wsrelay.core.visitors import Visitors
from wsrelay.pusher.admission import Hello
from wsrelay.pusher.session import MOST_MALFORMED

# -- coming ------------------------------------------------------------------------------------


def test_the_first_message_is_connection_established(relayed: Relayed) -> None:
    client = relayed.client()
    client.session.open(Hello(APP.key))
    assert client.heard() == [
        {
            "event": "pusher:connection_established",
            "data": f'{{"socket_id":"{client.socket_id}","activity_timeout":120}}',
        }
    ]
    assert relayed.connections.count(APP.id) == 1


def test_the_app_says_after_how_much_silence_clients_ping() -> None:
    client = (relayed := Relayed(an_app(activity_timeout=30))).client()
    client.session.open(Hello(relayed.app.key))
    (established,) = client.heard()
    assert json.loads(established["data"])["activity_timeout"] == 30


def test_a_connection_that_opens_is_told_once_to_the_observer(relayed: Relayed) -> None:
    client = relayed.connect(client="js 8.6.0")
    assert relayed.notices == [
        ConnectionOpened(APP.id, client.socket_id, "192.0.2.1:4711", "js 8.6.0")
    ]


@pytest.mark.parametrize(
    ("settings", "hello", "code"),
    [
        ({}, Hello("wrong"), Code.APP_NOT_FOUND),
        ({"enabled": False}, Hello(APP.key), Code.APP_DISABLED),
        ({}, Hello(APP.key, "4"), Code.VERSION_UNSUPPORTED),
        ({}, Hello(APP.key, "x"), Code.VERSION_MALFORMED),
        ({"allowed_origins": ("a.test",)}, Hello(APP.key, "7", "http://b"), Code.UNAUTHORIZED),
    ],
)
def test_who_is_refused_is_told_why_and_then_closed_with_the_same_code(
    settings: dict[str, object], hello: Hello, code: Code
) -> None:
    relayed = Relayed(an_app(**settings))
    client = relayed.client()
    client.session.open(hello)
    ((closed_with, reason),) = client.door.closed
    assert client.heard() == [error(code, reason)]
    assert closed_with is code
    assert relayed.notices == [ConnectionDenied("192.0.2.1:4711", code, reason)]
    relayed.assert_empty()


def test_who_was_refused_is_not_listened_to_and_goes_without_a_notice(relayed: Relayed) -> None:
    client = relayed.client()
    client.session.open(Hello("wrong"))
    client.heard()
    client.says({"event": "pusher:ping"})
    client.session.refuse_binary()
    client.session.close(Code.OVER_CAPACITY, "again")
    client.vanish()
    assert client.heard() == []
    assert len(client.door.closed) == 1
    assert relayed.notices.of(ConnectionClosed) == []
    relayed.assert_empty()


def test_the_limit_of_connections_is_the_apps_own() -> None:
    small, large = an_app(max_connections=2), an_app(id="2", key="other")
    relayed = Relayed(small, large)
    first, _ = relayed.connect(small), relayed.connect(small)
    third = relayed.client()
    third.session.open(Hello(small.key))
    assert third.closed is Code.OVER_CONNECTION_QUOTA
    relayed.connect(large)
    first.vanish()
    relayed.connect(small)
    assert (relayed.connections.count(small.id), relayed.connections.count(large.id)) == (2, 1)


def test_nothing_is_heard_from_a_client_before_it_is_admitted(relayed: Relayed) -> None:
    client = relayed.client()
    client.says({"event": "pusher:ping"})
    client.session.refuse_binary()
    client.session.close(Code.OVER_CAPACITY, "too early")
    client.vanish()
    assert client.heard() == []
    assert client.door.closed == []
    assert relayed.notices == []


# -- being understood --------------------------------------------------------------------------


def test_a_ping_is_answered_with_a_pong(relayed: Relayed) -> None:
    client = relayed.connect()
    client.says('{"event":"pusher:ping","data":{}}')
    client.says('{"event":"pusher:ping"}')
    assert client.heard() == [{"event": "pusher:pong", "data": {}}] * 2


@pytest.mark.parametrize("event", ["pusher:pong", "pusher:resume", "pusher:"])
def test_an_unknown_event_of_the_protocol_is_ignored(relayed: Relayed, event: str) -> None:
    client = relayed.connect()
    client.says({"event": event, "data": {}})
    assert client.heard() == []
    assert relayed.tally.rejected(Code.BAD_MESSAGE) == 0


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (b"{", "the message is not valid JSON"),
        (b"", "the message is not valid JSON"),
        (b"[" * 100_000, "unexpected message: Expected `object`, got `array`"),
        (b'{"event":"pusher:ping","x":' + b"[" * 100_000, "the message is nested too deeply"),
        (b"[1,2]", "unexpected message: Expected `object`, got `array`"),
        (b"{}", "unexpected message: Object missing required field `event`"),
        (b'{"event":1}', "unexpected message: Expected `str`, got `int` - at `$.event`"),
        (
            b'{"event":"hello"}',
            "unknown event: what a client sends starts with pusher: or client-",
        ),
        (b'{"event":"client-e"}', "a client event needs a channel (a string)"),
        (b'{"event":"pusher:subscribe"}', "pusher:subscribe needs data (an object)"),
    ],
)
def test_what_cannot_be_understood_is_4300_and_the_connection_stays_open(
    relayed: Relayed, message: bytes, fault: str
) -> None:
    client = relayed.connect()
    client.says(message)
    assert client.heard() == [error(4300, fault)]
    client.says({"event": "pusher:ping"})
    assert client.heard() == [{"event": "pusher:pong", "data": {}}]
    assert client.closed is None
    assert (relayed.tally.messages_in, relayed.tally.rejected(Code.BAD_MESSAGE)) == (2, 1)


def test_binary_messages_are_refused_and_told_what_to_send(relayed: Relayed) -> None:
    client = relayed.connect()
    client.session.refuse_binary()
    assert client.heard() == [error(4300, "binary frames are not read: send text")]
    assert client.closed is None
    assert relayed.tally.rejected(Code.BAD_MESSAGE) == 1


def test_who_is_never_understood_is_closed_with_4100_and_the_last_reason(relayed: Relayed) -> None:
    client = relayed.connect()
    for _ in range(MOST_MALFORMED - 1):
        client.says("{")
    assert client.closed is None
    client.session.refuse_binary()
    assert client.closed is Code.OVER_CAPACITY
    *errors, last = client.heard()
    assert [message["data"]["code"] for message in errors] == [4300] * (MOST_MALFORMED - 1)
    assert last == error(
        4100,
        "20 messages could not be understood, the last because: "
        "binary frames are not read: send text",
    )


def test_refused_whispers_do_not_count_as_misunderstood(relayed: Relayed) -> None:
    client = relayed.connect()
    for _ in range(3 * MOST_MALFORMED):
        client.whisper("private-room")
    assert client.closed is None
    assert relayed.tally.rejected(Code.CLIENT_EVENT_REJECTED) == 3 * MOST_MALFORMED


@given(
    st.binary()
    | json_texts().map(str.encode)
    | json_texts(
        st.fixed_dictionaries(
            {
                "event": st.sampled_from(
                    ["client-e", "pusher:subscribe", "pusher:unsubscribe", "pusher:signin"]
                )
            },
            optional={
                "channel": st.sampled_from(["room", "private-room", "presence-room"]) | json_values,
                "data": json_texts()
                | json_values
                | st.fixed_dictionaries(
                    {"channel": st.sampled_from(["room", "private-room"]) | json_values},
                    optional=dict.fromkeys(
                        ("auth", "channel_data", "user_data"), texts | json_values
                    ),
                ),
            },
        )
    ).map(str.encode)
)
def test_nothing_that_a_client_says_raises_or_reaches_others(message: bytes) -> None:
    relayed = Relayed()
    neighbour, client = relayed.connect(), relayed.connect()
    for channel in ("room", "private-room"):
        neighbour.subscribe(channel)
    neighbour.heard()
    client.says(message)
    for heard in client.heard():
        assert heard["event"].startswith(("pusher:", "pusher_internal:"))
    client.vanish()
    assert neighbour.heard() == []
    assert relayed.hub.subscription_count(APP.id, "room") == 1
    neighbour.vanish()
    relayed.assert_empty()


# -- going -------------------------------------------------------------------------------------


def test_a_farewell_is_an_error_and_a_close_frame_with_the_same_code(relayed: Relayed) -> None:
    client = relayed.connect()
    client.session.close(Code.NO_PONG, "nothing was heard")
    assert client.heard() == [error(4201, "nothing was heard")]
    assert client.door.closed == [(Code.NO_PONG, "nothing was heard")]


def test_a_second_farewell_is_not_said(relayed: Relayed) -> None:
    client = relayed.connect()
    client.session.close(Code.NO_PONG, "first")
    client.session.close(Code.OVER_CAPACITY, "second")
    assert client.closed is Code.NO_PONG
    assert len(client.heard()) == 1


def test_nothing_is_heard_from_a_client_after_its_farewell(relayed: Relayed) -> None:
    # Autobahn (26.10.2) goes on reading until the client has answered the close frame.
    client, neighbour = relayed.connect(), relayed.connect()
    for one in (client, neighbour):
        one.subscribe("private-room")
        one.heard()
    client.session.close(Code.OVER_CAPACITY, "enough")
    client.heard()
    client.whisper("private-room")
    client.subscribe("room")
    client.says("{")
    client.session.refuse_binary()
    assert client.heard() == neighbour.heard() == []
    assert relayed.hub.subscription_count(APP.id, "room") == 0
    client.vanish()
    neighbour.vanish()
    relayed.assert_empty()


def test_who_was_closed_for_nonsense_is_told_so_once(relayed: Relayed) -> None:
    client = relayed.connect()
    for _ in range(2 * MOST_MALFORMED):
        client.says("{")
    assert client.closed is Code.OVER_CAPACITY
    assert len(client.heard()) == MOST_MALFORMED


def test_a_connection_that_is_gone_has_left_every_channel(relayed: Relayed) -> None:
    client, neighbour = relayed.connect(), relayed.connect()
    for channel in ("room", "private-room", "cache-room"):
        client.subscribe(channel)
    client.join("presence-room", "ada")
    neighbour.subscribe("room")
    client.vanish()
    assert relayed.hub.subscription_count(APP.id, "room") == 1
    assert len(relayed.hub) == 1
    assert relayed.members("presence-room") == []
    neighbour.vanish()
    relayed.assert_empty()


def test_a_connection_that_is_gone_is_told_once_to_the_observer(relayed: Relayed) -> None:
    client = relayed.connect()
    client.vanish(4201, "nothing was heard")
    client.vanish()
    assert relayed.notices.of(ConnectionClosed) == [
        ConnectionClosed(APP.id, client.socket_id, "192.0.2.1:4711", 4201, "nothing was heard")
    ]


def test_nothing_is_heard_from_a_client_that_is_gone(relayed: Relayed) -> None:
    client = relayed.connect()
    client.vanish()
    client.heard()
    client.subscribe("room")
    client.session.refuse_binary()
    client.session.close(Code.OVER_CAPACITY, "too late")
    assert client.heard() == []
    assert client.door.closed == []
    relayed.assert_empty()


# -- an app that demands authorisation ---------------------------------------------------------


def test_who_authorises_nothing_in_time_is_closed_with_4009() -> None:
    relayed = Relayed(an_app(authorization_timeout=30))
    client = relayed.connect()
    client.subscribe("room")
    relayed.clock.advance(29)
    assert client.closed is None
    relayed.clock.advance(1)
    assert client.closed is Code.UNAUTHORIZED
    assert client.door.closed[0][1] == (
        "no sign-in and no private or presence channel within 30 s (authorization_timeout)"
    )


@pytest.mark.parametrize("channel", ["private-room", "presence-room", None])
def test_who_has_authorised_something_stays(channel: str | None) -> None:
    relayed = Relayed(an_app(authorization_timeout=30))
    client = relayed.connect()
    if channel is None:
        client.sign_in("42")
    elif channel.startswith("presence-"):
        client.join(channel, "42")
    else:
        client.subscribe(channel)
        client.unsubscribe(channel)
    relayed.clock.advance(3600)
    assert client.closed is None


def test_a_failed_authorisation_counts_for_nothing() -> None:
    relayed = Relayed(an_app(authorization_timeout=30))
    client = relayed.connect()
    client.subscribe("private-room", auth="wrong:token")
    relayed.clock.advance(30)
    assert client.closed is Code.UNAUTHORIZED


def test_the_duty_ends_with_the_connection() -> None:
    relayed = Relayed(an_app(authorization_timeout=30))
    client = relayed.connect()
    client.vanish()
    assert relayed.clock.getDelayedCalls() == []


# -- what others hear --------------------------------------------------------------------------


def test_a_backend_and_clients_of_one_channel_hear_each_other_in_order(relayed: Relayed) -> None:
    ada, bob = relayed.connect(), relayed.connect()
    for client in (ada, bob):
        client.subscribe("private-room")
        assert client.heard() == [succeeded("private-room")]
    ada.whisper("private-room", "1")
    relayed.publish("private-room", "2")
    bob.whisper("private-room", "3")
    assert [message["data"] for message in bob.heard()] == ["1", "2"]
    assert [message["data"] for message in ada.heard()] == ["2", "3"]


def test_apps_hear_nothing_of_each_other() -> None:
    other = an_app(id="2", key="other")
    relayed = Relayed(APP, other)
    ada, bob, eve = relayed.connect(APP), relayed.connect(APP), relayed.connect(other)
    for client in (ada, bob, eve):
        client.subscribe("private-room")
        client.heard()
    ada.whisper("private-room")
    relayed.publish("private-room")
    assert bob.heard()[0] == said("private-room")
    assert eve.heard() == []


# -- how many from one address ---------------------------------------------------------------


def test_who_comes_from_an_address_with_too_many_connections_is_refused_with_4100() -> None:
    relayed = Relayed(visitors=Visitors(lambda: 0.0, most_open=1))
    first, second = relayed.connect(), relayed.client()
    second.session.open(Hello(key=relayed.app.key))
    assert [code for code, _ in second.door.closed] == [Code.OVER_CAPACITY]
    first.session.lost(1000, "")
    relayed.connect().session.lost(1000, "")
    relayed.assert_empty()


def test_while_descriptors_are_scarce_who_comes_is_refused_with_4100_and_who_is_here_stays(
    relayed: Relayed,
) -> None:
    client = relayed.connect()
    relayed.connections.is_full = True
    late = relayed.client()
    late.session.open(Hello(key=relayed.app.key))
    assert late.door.closed == [(Code.OVER_CAPACITY, "the server has no room for more connections")]
    assert client.closed is None
    relayed.connections.is_full = False
    relayed.connect()


def test_who_is_refused_does_not_count_for_his_address() -> None:
    relayed = Relayed(visitors=Visitors(lambda: 0.0, most_open=1))
    relayed.client().session.open(Hello(key="no-such-key"))
    relayed.connect()
