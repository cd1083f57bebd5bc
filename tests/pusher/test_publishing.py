"""wsrelay.pusher.publishing"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import APP, an_app
from tests.properties import (
    channel_names,
    depths_around_the_deepest,
    json_texts,
    json_values,
    texts,
)
from wsrelay.core.apps import App
from wsrelay.core.errors import PublishRefused
from wsrelay.core.names import fault_in_event_name
from wsrelay.pusher.publishing import Event, decode_batch, decode_event

CHARACTERS = "a channel's name may hold letters, digits and _ - = @ , . ; only"
RESERVED = "names that start with pusher: or pusher_internal: are the protocol's own"


def asked(**changes: Any) -> bytes:
    body = {"name": "order.shipped", "channels": ["room"], "data": '{"id":7}'} | changes
    return json.dumps({k: v for k, v in body.items() if v is not ...}).encode()


def refusal(body: bytes, app: App = APP) -> tuple[int, str]:
    with pytest.raises(PublishRefused) as raised:
        decode_event(app, body)
    return raised.value.status, raised.value.message


def payloads(event: Event) -> list[str]:
    return [publication.frame.payload.decode() for publication in event.publications]


# -- what is published -------------------------------------------------------------------------


def test_an_event_becomes_one_publication_for_each_channel_in_their_order() -> None:
    event = decode_event(APP, asked(channels=["room", "private-a"], socket_id="271828.31415926"))
    assert [(p.app_id, p.channel, p.excluded_socket_id) for p in event.publications] == [
        (APP.id, "room", "271828.31415926"),
        (APP.id, "private-a", "271828.31415926"),
    ]
    assert payloads(event) == [
        '{"event":"order.shipped","channel":"room","data":"{\\"id\\":7}"}',
        '{"event":"order.shipped","channel":"private-a","data":"{\\"id\\":7}"}',
    ]
    assert event.info == []


def test_a_string_is_published_byte_for_byte() -> None:
    body = b'{"name":"e","channel":"room","data":"Zo\\u00eb \\/ Zo\xc3\xab"}'
    assert payloads(decode_event(APP, body)) == [
        '{"event":"e","channel":"room","data":"Zo\\u00eb \\/ Zoë"}'
    ]


@pytest.mark.parametrize(
    ("data", "string"),
    [
        ('{ "a" : [1, 2] }', '"{\\"a\\":[1,2]}"'),
        ("{\n}", '"{}"'),
        ("null", '"null"'),
        ("false", '"false"'),
        ("1.0", '"1.0"'),
        ("1e999", '"1e999"'),
        ('""', '""'),
    ],
)
def test_data_that_is_no_string_is_published_as_its_compact_text(data: str, string: str) -> None:
    body = f'{{"name":"e","channel":"room","data":{data}}}'.encode()
    assert payloads(decode_event(APP, body)) == [
        f'{{"event":"e","channel":"room","data":{string}}}'
    ]


@pytest.mark.parametrize(
    ("named", "channels"),
    [
        ({"channels": ["a", "b", "a", "b"]}, ["a", "b"]),
        ({"channels": "a"}, ["a"]),
        ({"channels": ..., "channel": "a"}, ["a"]),
        ({"channels": None, "channel": "a"}, ["a"]),
        ({"channels": ["a"], "channel": "b"}, ["a"]),
        ({"channels": ["#server-to-user-42"]}, ["#server-to-user-42"]),
    ],
)
def test_channels_are_named_in_a_list_or_alone_and_each_counts_once(
    named: dict[str, Any], channels: list[str]
) -> None:
    event = decode_event(APP, asked(**named))
    assert [publication.channel for publication in event.publications] == channels


def test_unknown_keys_are_ignored() -> None:
    assert len(decode_event(APP, asked(tags={"a": 1}, delta=True)).publications) == 1


@pytest.mark.parametrize(
    ("info", "attributes"),
    [
        (None, []),
        ("", []),
        ("user_count", ["user_count"]),
        ("user_count,subscription_count", ["user_count", "subscription_count"]),
        ("subscription_count,", ["subscription_count"]),
    ],
)
def test_info_is_a_comma_list_of_attributes(info: str | None, attributes: list[str]) -> None:
    assert decode_event(APP, asked(info=info)).info == attributes


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"name=e&channel=room",
        b'{"name":"e","channel":"room","data":"\\ud800"}',
        b'{"name":"e","channel":"room","data":"line\nfeed"}',
        b'{"name":"e","channel":"room","data":01}',
        b'{"name":"e","channel":"\\udc00","data":"x"}',
    ],
)
def test_a_body_that_is_no_json_is_400(body: bytes) -> None:
    assert refusal(body) == (400, "the body is not valid JSON")


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"e","channel":"room","data":"\xff"}',
        b'{"name":"e","channel":"room","data":["\xff"]}',
        b'{"name":"e","channel":"room","data":"x","tags":"\xff"}',
        b'{"name":"\xff","channel":"room","data":"x"}',
        b'{"name":"e","channel":"room","data":"\xed\xa0\x80"}',
    ],
)
def test_a_body_that_is_no_utf8_is_400(body: bytes) -> None:
    # In a text frame it would end the connection of every subscriber (RFC 6455, 8.1).
    assert refusal(body) == (400, "the body is not valid UTF-8")


def test_data_may_be_nested_at_any_depth_and_nothing_breaks() -> None:
    app = an_app(max_event_bytes=1024 * 1024)

    def event(data: str) -> Event:
        return decode_event(app, f'{{"name":"e","channel":"room","data":{data}}}'.encode())

    outcomes = set()
    for depth in depths_around_the_deepest(event):
        data = "[" * depth + "]" * depth
        try:
            assert json.loads(payloads(event(data))[0])["data"] == data
        except PublishRefused as refused:
            assert refused.status == 400
            outcomes.add(refused.message.partition(" is ")[2])
        else:
            outcomes.add("published")
    assert outcomes == {"published", "nested too deeply"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": ...}, "name: an event needs a name (a string)"),
        ({"name": 5}, "name: an event needs a name (a string)"),
        ({"name": ""}, "name: an event's name must not be empty"),
        ({"name": "pusher:error"}, f"name: {RESERVED}"),
        ({"data": ...}, "data: an event needs data (a string, usually JSON text)"),
        ({"channels": ...}, "channels: an event needs channels (a list) or channel (a name)"),
        ({"channels": []}, "channels: the list is empty"),
        ({"channels": [""]}, "channels: a channel's name must not be empty"),
        ({"channels": ["a", "b c"]}, f"channels: {CHARACTERS}"),
        ({"channels": ["#watchlist-42"]}, f"channels: {CHARACTERS}"),
        ({"socket_id": ""}, "socket_id: expected digits, a dot and digits"),
        ({"socket_id": "1"}, "socket_id: expected digits, a dot and digits"),
        ({"socket_id": "1.1\n"}, "socket_id: expected digits, a dot and digits"),
        ({"socket_id": "١.١"}, "socket_id: expected digits, a dot and digits"),
        (
            {"info": "user_count,secrets"},
            "info: 'secrets' is not known, expected user_count or subscription_count",
        ),
    ],
)
def test_a_wrong_field_is_400_and_told_what_was_expected(
    changes: dict[str, Any], fault: str
) -> None:
    assert refusal(asked(**changes)) == (400, fault)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"channels": 5}, "Expected `str | array | null`, got `int` - at `$.channels`"),
        ({"channels": [5]}, "Expected `str`, got `int` - at `$.channels[0]`"),
        ({"socket_id": 5}, "Expected `str | null`, got `int` - at `$.socket_id`"),
        ({"info": ["user_count"]}, "Expected `str | null`, got `array` - at `$.info`"),
    ],
)
def test_a_wrong_type_is_400_and_told_where_it_is(changes: dict[str, Any], fault: str) -> None:
    assert refusal(asked(**changes)) == (400, f"the body is not an event: {fault}")


@pytest.mark.parametrize("body", [b"[]", b'"e"', b"null", b"1"])
def test_a_body_that_is_no_object_is_400(body: bytes) -> None:
    status, message = refusal(body)
    assert status == 400
    assert message.startswith("the body is not an event: Expected `object`, got ")


# -- limits, at their value and one above ------------------------------------------------------


def test_an_events_name_may_be_as_long_as_the_limit() -> None:
    app = an_app(max_event_name_length=5)
    assert decode_event(app, asked(name="éèêëé"))
    assert refusal(asked(name="éèêëéè"), app) == (
        400,
        "name: the event's name has 6 characters, the limit is 5 (max_event_name_length)",
    )


def test_a_channels_name_may_be_as_long_as_the_limit() -> None:
    app = an_app(max_channel_name_length=5)
    assert decode_event(app, asked(channels=["abcde"]))
    assert refusal(asked(channels=["abcdef"]), app) == (
        400,
        "channels: the channel's name has 6 characters, the limit is 5 (max_channel_name_length)",
    )


def test_a_publish_may_name_as_many_channels_as_the_limit() -> None:
    app = an_app(max_channels_per_event=2)
    assert decode_event(app, asked(channels=["a", "b"]))
    assert decode_event(app, asked(channels=["a", "b", "a"]))
    assert refusal(asked(channels=["a", "b", "c"]), app) == (
        400,
        "channels: 3 are named, the limit is 2 (max_channels_per_event)",
    )


@pytest.mark.parametrize("character", ["a", "é", "\n", '"', "😀"])
def test_data_may_be_as_large_as_the_limit_counted_as_text_in_utf8(character: str) -> None:
    size = len(character.encode())
    app = an_app(max_event_bytes=20 * size)
    for ensure_ascii in (True, False):
        body = {"name": "e", "channel": "room", "data": character * 20}
        assert decode_event(app, json.dumps(body, ensure_ascii=ensure_ascii).encode())
        body["data"] += "a"
        assert refusal(json.dumps(body, ensure_ascii=ensure_ascii).encode(), app) == (
            413,
            f"data has {20 * size + 1} bytes, the limit is {20 * size} (max_event_bytes)",
        )


def test_data_that_is_no_string_is_measured_as_its_compact_text() -> None:
    app = an_app(max_event_bytes=9)
    assert decode_event(app, b'{"name":"e","channel":"room","data":[ 1, 2, "a"   ]}')
    assert refusal(b'{"name":"e","channel":"room","data":[1,2,"ab"]}', app) == (
        413,
        "data has 10 bytes, the limit is 9 (max_event_bytes)",
    )


def test_what_was_encrypted_may_be_larger_by_what_encryption_adds() -> None:
    app = an_app(max_event_bytes=300)
    channel = "private-encrypted-vault"
    assert decode_event(app, asked(channels=[channel], data="a" * 528))
    assert refusal(asked(channels=[channel], data="a" * 529), app) == (
        413,
        "data has 529 bytes, the limit is 528 (max_event_bytes)",
    )
    assert refusal(asked(channels=["private-vault"], data="a" * 301), app)[0] == 413


def test_nothing_is_published_of_an_event_of_which_one_channel_is_wrong() -> None:
    assert refusal(asked(channels=["good", "not good"]))[0] == 400


# -- batches -----------------------------------------------------------------------------------


def batch(*events: dict[str, Any]) -> bytes:
    return json.dumps({"batch": events}).encode()


ONE = {"name": "a", "channel": "room", "data": "x"}


def test_a_batch_is_a_list_of_events_in_their_order() -> None:
    events = decode_batch(APP, batch(ONE, ONE | {"name": "b", "info": "user_count"}))
    assert [payloads(event) for event in events] == [
        ['{"event":"a","channel":"room","data":"x"}'],
        ['{"event":"b","channel":"room","data":"x"}'],
    ]
    assert [event.info for event in events] == [[], ["user_count"]]
    assert decode_batch(APP, batch()) == []


def test_a_batch_may_hold_as_many_events_as_the_limit() -> None:
    app = an_app(max_events_per_batch=2)
    assert len(decode_batch(app, batch(ONE, ONE))) == 2
    assert batch_refusal(batch(ONE, ONE, ONE), app) == (
        400,
        "batch: 3 events, the limit is 2 (max_events_per_batch)",
    )


def batch_refusal(body: bytes, app: App = APP) -> tuple[int, str]:
    with pytest.raises(PublishRefused) as raised:
        decode_batch(app, body)
    return raised.value.status, raised.value.message


def test_one_event_that_is_wrong_refuses_the_whole_batch_and_is_named() -> None:
    assert batch_refusal(batch(ONE, ONE | {"channel": "not good"})) == (
        400,
        "batch[1]: channels: a channel's name may hold letters, digits and _ - = @ , . ; only",
    )
    status, message = batch_refusal(batch(ONE | {"data": "x" * 10_241}, ONE))
    assert status == 413
    assert message.startswith("batch[0]: data has 10241 bytes")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"{", "the body is not valid JSON"),
        (b'{"batch":[{"name":"\xff"}]}', "the body is not valid UTF-8"),
        (b'{"batch":' + b"[" * 200_000, "the body is not a batch: Expected `object`, got `array`"),
        (b'{"x":' + b"[" * 200_000, "the body is nested too deeply"),
        (b"{}", "the body is not a batch: Object missing required field `batch`"),
        (b"[]", "the body is not a batch: Expected `object`, got `array`"),
        (b'{"batch":[5]}', "the body is not a batch: Expected `object`, got `int`"),
    ],
)
def test_a_body_that_is_no_batch_is_400(body: bytes, fault: str) -> None:
    status, message = batch_refusal(body)
    assert status == 400
    assert message.startswith(fault)


# -- whatever comes ----------------------------------------------------------------------------


@given(
    st.binary()
    | json_texts().map(str.encode)
    | json_texts(
        st.fixed_dictionaries(
            {},
            optional={
                "name": texts | json_values,
                "data": json_values,
                "channels": st.lists(channel_names | texts) | json_values,
                "channel": channel_names | json_values,
                "socket_id": texts | json_values,
                "info": texts | json_values,
            },
        )
    ).map(str.encode)
)
def test_any_body_is_an_event_or_refused_with_a_reason(body: bytes) -> None:
    try:
        event = decode_event(APP, body)
    except PublishRefused as refused:
        assert refused.status in (400, 413)
        assert refused.message
    else:
        assert event.publications


@given(
    texts.filter(lambda name: fault_in_event_name(name, 200) is None),
    st.lists(channel_names, min_size=1, max_size=4, unique=True),
    json_texts(),
)
def test_subscribers_get_what_was_published(name: str, channels: list[str], data: str) -> None:
    body = f'{{"data":{data},"name":{json.dumps(name)},"channels":{json.dumps(channels)}}}'
    event = decode_event(APP, body.encode())
    for channel, payload in zip(channels, payloads(event), strict=True):
        sent = json.loads(payload)
        assert sent.keys() == {"event", "channel", "data"}
        assert (sent["event"], sent["channel"]) == (name, channel)
        if data.startswith('"'):
            assert sent["data"] == json.loads(data)
        else:
            assert json.loads(sent["data"]) == json.loads(data)
