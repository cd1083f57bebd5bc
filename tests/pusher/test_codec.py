"""wsrelay.pusher.codec"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from tests.properties import depths_around_the_deepest, json_texts, json_values, texts
from wsrelay.core.errors import Code, EventRejected
from wsrelay.core.frame import Frame
from wsrelay.core.roster import Member
from wsrelay.pusher import codec
from wsrelay.pusher.messages import (
    ClientEvent,
    Ignored,
    Message,
    Ping,
    SignIn,
    Subscribe,
    Unsubscribe,
)


def rejection(payload: bytes | str) -> str:
    with pytest.raises(EventRejected) as raised:
        codec.decode(payload)
    assert raised.value.code is Code.BAD_MESSAGE
    return raised.value.message


def text_of(frame: Frame) -> str:
    return frame.payload.decode()


# -- in: which message it is -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('{"event":"pusher:ping","data":{}}', Ping()),
        ('{"event":"pusher:ping"}', Ping()),
        ('{"event":"pusher:subscribe","data":{"channel":"room","auth":""}}', Subscribe("room", "")),
        ('{"event":"pusher:subscribe","data":{"channel":"room"}}', Subscribe("room")),
        (
            '{"event":"pusher:subscribe","data":{"channel":"presence-a","auth":"k:s",'
            '"channel_data":"{\\"user_id\\": \\"Zo\\\\u00eb\\"}"}}',
            Subscribe("presence-a", "k:s", '{"user_id": "Zo\\u00eb"}'),
        ),
        ('{"event":"pusher:subscribe","data":"{\\"channel\\":\\"room\\"}"}', Subscribe("room")),
        ('{"event":"pusher:unsubscribe","data":{"channel":"room"}}', Unsubscribe("room")),
        ('{"event":"pusher:unsubscribe","data":"{\\"channel\\":\\"room\\"}"}', Unsubscribe("room")),
        (
            '{"event":"pusher:signin","data":{"auth":"k:s","user_data":"{\\"id\\": \\"42\\"}"}}',
            SignIn("k:s", '{"id": "42"}'),
        ),
        ('{"event":"pusher:signin","data":{}}', SignIn()),
        ('{"event":"pusher:signin","data":{"auth":1,"user_data":{"id":"42"}}}', SignIn()),
        ('{"event":"pusher:pong","data":{}}', Ignored("pusher:pong")),
        ('{"event":"pusher:enable_delta_compression"}', Ignored("pusher:enable_delta_compression")),
        (
            '{"event":"client-e","channel":"private-a","data":{"x":1}}',
            ClientEvent("client-e", "private-a", b'{"x":1}'),
        ),
        ('{"event":"client-e","channel":"private-a"}', ClientEvent("client-e", "private-a", b"")),
    ],
)
def test_a_message_is_understood(said: str, message: Message) -> None:
    assert codec.decode(said) == message
    assert codec.decode(said.encode()) == message


def test_unknown_keys_are_ignored_and_the_order_of_keys_is_free() -> None:
    said = '{"user_id":"9","data":1,"x":{"y":[]},"channel":"private-a","event":"client-e"}'
    assert codec.decode(said) == ClientEvent("client-e", "private-a", b"1")
    said = '{"data":{"filter":{},"channel":"room","tags":[1]},"event":"pusher:subscribe"}'
    assert codec.decode(said) == Subscribe("room")


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    said = '{"event":"client-a","event":"client-b","channel":"x","channel":"y","data":1,"data":2}'
    assert codec.decode(said) == ClientEvent("client-b", "y", b"2")


@pytest.mark.parametrize(
    "data",
    [b'"x"', b'"\\u00eb\\n"', b"[1, 2]", b"{ }", b"null", b"1e400", b"1" * 5000, b'"{\\"a\\":1}"'],
)
def test_the_data_of_a_client_event_stays_the_bytes_that_came(data: bytes) -> None:
    said = b'{"event":"client-e","channel":"private-a","data" :\n  %s\t\n}' % data
    assert codec.decode(said) == ClientEvent("client-e", "private-a", data)


# -- in: what is wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"hello",
        b'{"event":"pusher:ping"} {}',
        b"{'event':'pusher:ping'}",
        b'\xef\xbb\xbf{"event":"pusher:ping"}',
        b'{"event":"pusher:\xff"}',
        b'{"event":"client-\\ud800","channel":"private-a"}',
        b'{"event":"client-e","channel":"private-a","data":"\\ud800"}',
        b'{"event":"client-e","channel":"private-a","data":"\\x"}',
        b'{"event":"client-e","channel":"private-a","data":"line\nfeed"}',
        b'{"event":"client-e","channel":"private-a","data":"\x00"}',
        b'{"event":"client-e","channel":"private-a","data":01}',
        b'{"event":"client-e","channel":"private-a","data":[1,]}',
        b'{"event":"client-e","channel":"private-a","data":NaN}',
        b'{"event":"client-e","channel":"private-a","data":}',
        b'{"event":"pusher:subscribe","data":{"channel":"\\udc00"}}',
        b'{"event":"pusher:subscribe","data":{"channel":"a","auth":"\xff"}}',
        b'{"event":"pusher:subscribe","data":{"channel":"a","channel_data":{"x":"\\udc00"}}}',
    ],
)
def test_what_is_no_json_is_called_so(said: bytes) -> None:
    assert rejection(said) == "the message is not valid JSON"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("[]", "Expected `object`, got `array`"),
        ("null", "Expected `object`, got `null`"),
        ('"pusher:ping"', "Expected `object`, got `str`"),
        ("1", "Expected `object`, got `int`"),
        ("{}", "Object missing required field `event`"),
        ('{"event":5}', "Expected `str`, got `int` - at `$.event`"),
        ('{"event":null}', "Expected `str`, got `null` - at `$.event`"),
        ('{"event":"pusher:subscribe","data":[]}', "Expected `object`, got `array`"),
        ('{"event":"pusher:subscribe","data":null}', "Expected `object`, got `null`"),
        ('{"event":"pusher:subscribe","data":{}}', "Object missing required field `channel`"),
        (
            '{"event":"pusher:subscribe","data":{"channel":1}}',
            "Expected `str`, got `int` - at `$.channel`",
        ),
        (
            '{"event":"pusher:unsubscribe","data":{"channel":null}}',
            "Expected `str`, got `null` - at `$.channel`",
        ),
        ('{"event":"pusher:unsubscribe","data":"[]"}', "Expected `object`, got `array`"),
        ('{"event":"pusher:ping","channel":1e400}', "Number out of range - at `$.channel`"),
        (
            '{"event":"pusher:ping","channel":' + "9" * 5000 + "}",
            "Integer value out of range - at `$.channel`",
        ),
    ],
)
def test_a_wrong_type_is_told_where_it_is_and_what_was_expected(said: str, fault: str) -> None:
    assert rejection(said) == f"unexpected message: {fault}"


@pytest.mark.parametrize("event", ["pusher:subscribe", "pusher:unsubscribe", "pusher:signin"])
def test_an_event_that_needs_data_and_has_none_is_told_so(event: str) -> None:
    assert rejection(json.dumps({"event": event})) == f"{event} needs data (an object)"


@pytest.mark.parametrize("data", ["", "room", "{", '"a'])
def test_data_whose_string_holds_no_json_is_told_so(data: str) -> None:
    said = json.dumps({"event": "pusher:subscribe", "data": data})
    assert rejection(said) == "the message is not valid JSON"


@pytest.mark.parametrize("channel", ["", ',"channel":null', ',"channel":5', ',"channel":["a"]'])
def test_a_client_event_needs_a_channel(channel: str) -> None:
    said = f'{{"event":"client-e"{channel},"data":1}}'
    assert rejection(said) == "a client event needs a channel (a string)"


@pytest.mark.parametrize(
    "event", ["", "hello", "Client-e", "client_e", "pusher_internal:member_added"]
)
def test_an_event_that_clients_do_not_send_is_told_what_they_send(event: str) -> None:
    assert rejection(json.dumps({"event": event})) == (
        "unknown event: what a client sends starts with pusher: or client-"
    )


@pytest.mark.parametrize(
    "said",
    [
        '{"event":"client-e","channel":"private-a","data":%s}',
        '{"event":"pusher:subscribe","data":{"channel":"a","channel_data":%s}}',
        '{"event":"pusher:signin","data":{"auth":%s}}',
        '{"event":"pusher:ping","channel":%s}',
        '{"event":"pusher:ping","unknown":%s}',
    ],
)
def test_deep_nesting_is_understood_or_rejected_and_never_worse(said: str) -> None:
    outcomes = set()
    for depth in depths_around_the_deepest(lambda nested: codec.decode(said % nested)):
        try:
            codec.decode(said % ("[" * depth + "]" * depth))
        except EventRejected as rejected:
            outcomes.add(rejected.message)
        else:
            outcomes.add("understood")
    assert outcomes == {"understood", "the message is nested too deeply"}


@given(st.binary() | json_texts().map(str.encode))
def test_any_bytes_are_understood_or_rejected(payload: bytes) -> None:
    try:
        codec.decode(payload)
    except EventRejected as rejected:
        assert rejected.code is Code.BAD_MESSAGE
        assert rejected.message


#: Whole messages, to be damaged.
SAID = [
    b'{"event":"pusher:subscribe","data":{"channel":"a","auth":"k:s","channel_data":"{}"}}',
    b'{"event":"pusher:unsubscribe","data":"{\\"channel\\":\\"a\\"}"}',
    b'{"event":"client-x","channel":"private-a","data":{"n":[1,2.5e3,null,"\\u00e9"]}}',
    b'{"event":"pusher:signin","data":{"auth":"k:s","user_data":"{\\"id\\":\\"42\\"}"}}',
]


@given(
    st.sampled_from(SAID),
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 3), st.binary(max_size=3)), max_size=4),
)
def test_a_damaged_message_is_understood_or_rejected(
    said: bytes, damages: list[tuple[int, int, bytes]]
) -> None:
    for at, missing, more in damages:
        said = said[:at] + more + said[at + missing :]
    try:
        message = codec.decode(said)
    except EventRejected as rejected:
        assert rejected.code is Code.BAD_MESSAGE
        assert rejected.message
    else:
        assert isinstance(message, Message)


_WITH_DATA = ("subscribe", "unsubscribe", "signin")

_wild = json_texts(
    st.fixed_dictionaries(
        {},
        optional={
            "event": st.sampled_from(
                ["client-e", "x", *(f"pusher:{name}" for name in ("ping", *_WITH_DATA))]
            )
            | json_values,
            "channel": texts | json_values,
            "data": json_values
            | json_texts()
            | st.fixed_dictionaries(
                {},
                optional=dict.fromkeys(
                    ("channel", "auth", "channel_data", "user_data"), texts | json_values
                ),
            ),
        },
    )
)


@given(_wild)
def test_any_message_of_any_types_is_understood_or_rejected(said: str) -> None:
    try:
        message = codec.decode(said)
    except EventRejected as rejected:
        assert rejected.message
        assert "Traceback" not in rejected.message
    else:
        assert isinstance(message, Message)


# -- channel_data ------------------------------------------------------------------------------


def test_channel_data_that_is_an_object_becomes_its_compact_text() -> None:
    data = '{"channel":"a","channel_data":{"user_id": 7, "a": [1.0]}}'
    said = f'{{"event":"pusher:subscribe","data":{data}}}'
    assert codec.decode(said) == Subscribe("a", None, '{"user_id":7,"a":[1.0]}')


@pytest.mark.parametrize("auth", ["1", "null", "{}", '["k:s"]', "true"])
def test_an_auth_that_is_no_string_is_none(auth: str) -> None:
    said = f'{{"event":"pusher:subscribe","data":{{"channel":"a","auth":{auth}}}}}'
    assert codec.decode(said) == Subscribe("a")


@pytest.mark.parametrize(
    ("channel_data", "member"),
    [
        ('{"user_id":"42","user_info":{"name":"Ada"}}', Member("42", b'{"name":"Ada"}')),
        ('{"user_id":"42"}', Member("42", b"null")),
        ('{"user_id":"42","user_info":null}', Member("42", b"null")),
        ('{"user_id":"42","user_info":true}', Member("42", b"true")),
        ('{"user_id":"42","user_info":"x\\u00eb"}', Member("42", b'"x\\u00eb"')),
        ('{ "user_info" : { "a" : [ 1 , 2 ] } , "user_id" : "42" }', Member("42", b'{"a":[1,2]}')),
        ('{"user_id":"1","user_id":"2","x":{}}', Member("2")),
        ('{"user_id":"__proto__"}', Member("__proto__")),
        ('{"user_id":"\\u0000"}', Member("\x00")),
        ('{"user_id":"1","user_info":1e999}', Member("1", b"1e999")),
    ],
)
def test_a_member_is_read_from_channel_data(channel_data: str, member: Member) -> None:
    assert codec.decode_member(channel_data) == member


@pytest.mark.parametrize(
    ("number", "user_id"),
    [
        ("42", "42"),
        ("007", None),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("9007199254740993", "9007199254740993"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1e400", None),
        ("9" * 5000, None),
    ],
)
def test_a_user_id_that_is_a_number_becomes_its_text(number: str, user_id: str | None) -> None:
    channel_data = f'{{"user_id":{number}}}'
    if user_id is None:
        with pytest.raises(ValueError, match="channel_data"):
            codec.decode_member(channel_data)
    else:
        assert codec.decode_member(channel_data) == Member(user_id)


@pytest.mark.parametrize(
    ("channel_data", "fault"),
    [
        ("", "channel_data is not valid JSON"),
        ("{", "channel_data is not valid JSON"),
        ('{"user_id":"\\ud800"}', "channel_data is not valid JSON"),
        ('{"user_id":"1","user_info":"\\ud800"}', "channel_data is not valid JSON"),
        ('{"user_id":"1","user_info":"a\nb"}', "channel_data is not valid JSON"),
        ('{"user_id":"1","user_info":01}', "channel_data is not valid JSON"),
        ('{"user_id":"1","user_info":' + "[" * 100_000, "channel_data is not valid JSON"),
        ("[]", "channel_data: Expected `object`, got `array`"),
        ("{}", "channel_data: Object missing required field `user_id`"),
        (
            '{"user_id":null}',
            "channel_data: Expected `int | float | str`, got `null` - at `$.user_id`",
        ),
        (
            '{"user_id":true}',
            "channel_data: Expected `int | float | str`, got `bool` - at `$.user_id`",
        ),
        ('{"user_id":""}', "channel_data: user_id must not be empty"),
    ],
)
def test_channel_data_that_holds_no_member_is_told_what_was_expected(
    channel_data: str, fault: str
) -> None:
    with pytest.raises(ValueError, match="channel_data") as raised:
        codec.decode_member(channel_data)
    assert str(raised.value) == fault


def test_a_members_info_may_be_nested_at_any_depth_and_nothing_breaks() -> None:
    def member(info: str) -> Member:
        return codec.decode_member(f'{{"user_id":"1","user_info":{info}}}')

    outcomes = set()
    for depth in depths_around_the_deepest(member):
        info = "[" * depth + "]" * depth
        try:
            assert member(info).user_info == info.encode()
        except ValueError as error:
            outcomes.add(str(error))
        else:
            outcomes.add("understood")
    assert outcomes == {"understood", "channel_data is not valid JSON"}


@given(texts | json_texts())
def test_any_channel_data_holds_a_member_or_is_told_what_is_wrong(channel_data: str) -> None:
    try:
        member = codec.decode_member(channel_data)
    except ValueError as error:
        assert str(error).startswith("channel_data")
    else:
        assert member.user_id


@given(texts.filter(bool), json_texts())
def test_a_members_info_keeps_its_meaning(user_id: str, info: str) -> None:
    member = codec.decode_member(f'{{"user_id":{json.dumps(user_id)},"user_info":{info}}}')
    assert member.user_id == user_id
    assert json.loads(member.user_info) == json.loads(info)


# -- data as a string --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "string"),
    [
        (b'"x"', b'"x"'),
        (b'"\\u00eb \\/ \xc3\xab"', b'"\\u00eb \\/ \xc3\xab"'),
        (b'"{\\"a\\":1}"', b'"{\\"a\\":1}"'),
        (b'{"a":1}', b'"{\\"a\\":1}"'),
        (b'{"a":\n\t1}', b'"{\\"a\\":\\n\\t1}"'),
        (b"[1,2]", b'"[1,2]"'),
        (b"null", b'"null"'),
        (b"1e400", b'"1e400"'),
        (b"", b'"null"'),
    ],
)
def test_data_goes_out_as_a_string(data: bytes, string: bytes) -> None:
    sent = codec.as_string(data)
    frame = codec.event("e", "room", sent)
    assert frame.payload == b'{"event":"e","channel":"room","data":' + string + b"}"
    assert codec.text_of(sent) == json.loads(string)


@given(json_texts())
def test_data_keeps_its_meaning_and_a_string_its_bytes(data: str) -> None:
    frame = codec.event("e", "room", codec.as_string(data.encode()))
    sent = json.loads(frame.payload)["data"]
    assert isinstance(sent, str)
    if data.startswith('"'):
        assert sent == json.loads(data)
        assert data.encode() in frame.payload
    else:
        assert sent == data


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b'"0123456789"', 10),
        (b'"\\u00eb\\u00eb\\u00eb\\u00eb\\u00eb\\u00eb"', 12),
        ('"ëëëëëë"'.encode(), 12),
        (b'"\\\\\\\\\\\\\\\\\\\\\\\\\\\\"', 7),
        (b'"\\ud83d\\ude00\\ud83d\\ude00"', 8),
        (b'"\\u0000\\n\\t\\b\\/\\""', 6),
        (b"[1, 2, 3, 4]", 12),
        (b"1234567890123", 13),
    ],
)
def test_length_is_that_of_the_text_in_utf8(data: bytes, length: int) -> None:
    assert codec.text_length(data, enough=5) == length


@given(json_texts(), st.integers(min_value=0, max_value=100))
@example('"\\u0041\\u0041"', 2)
def test_length_says_truly_whether_there_is_more_than_enough(data: str, enough: int) -> None:
    text = json.loads(data) if data.startswith('"') else data
    length = len(text.encode())
    told = codec.text_length(data.encode(), enough)
    assert (told > enough) == (length > enough)
    if told > enough:
        assert told == length


# -- out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (
            codec.connection_established("271828.31415926", 120),
            '{"event":"pusher:connection_established",'
            '"data":"{\\"socket_id\\":\\"271828.31415926\\",\\"activity_timeout\\":120}"}',
        ),
        (codec.PONG, '{"event":"pusher:pong","data":{}}'),
        (
            codec.error(4001, "why"),
            '{"event":"pusher:error","data":{"code":4001,"message":"why"}}',
        ),
        (
            codec.error(Code.APP_NOT_FOUND, "why"),
            '{"event":"pusher:error","data":{"code":4001,"message":"why"}}',
        ),
        (
            codec.error(None, "why"),
            '{"event":"pusher:error","data":{"code":null,"message":"why"}}',
        ),
        (
            codec.subscription_error("private-a", 401, "AuthError", "why"),
            '{"event":"pusher:subscription_error","channel":"private-a",'
            '"data":{"type":"AuthError","error":"why","status":401}}',
        ),
        (
            codec.subscription_succeeded("room"),
            '{"event":"pusher_internal:subscription_succeeded","channel":"room","data":"{}"}',
        ),
        (
            codec.presence_subscription_succeeded(
                "presence-a", [Member("42", b'{"name":"Ada"}'), Member("7")]
            ),
            '{"event":"pusher_internal:subscription_succeeded","channel":"presence-a",'
            '"data":"{\\"presence\\":{\\"count\\":2,\\"ids\\":[\\"42\\",\\"7\\"],'
            '\\"hash\\":{\\"42\\":{\\"name\\":\\"Ada\\"},\\"7\\":null}}}"}',
        ),
        (
            codec.presence_subscription_succeeded("presence-a", []),
            '{"event":"pusher_internal:subscription_succeeded","channel":"presence-a",'
            '"data":"{\\"presence\\":{\\"count\\":0,\\"ids\\":[],\\"hash\\":{}}}"}',
        ),
        (
            codec.member_added("presence-a", Member("42", b'{"name":"Ada"}')),
            '{"event":"pusher_internal:member_added","channel":"presence-a",'
            '"data":"{\\"user_id\\":\\"42\\",\\"user_info\\":{\\"name\\":\\"Ada\\"}}"}',
        ),
        (
            codec.member_removed("presence-a", "42"),
            '{"event":"pusher_internal:member_removed","channel":"presence-a",'
            '"data":"{\\"user_id\\":\\"42\\"}"}',
        ),
        (
            codec.event("client-e", "presence-a", Raw(b'"x"'), "42"),
            '{"event":"client-e","channel":"presence-a","data":"x","user_id":"42"}',
        ),
        (
            codec.signin_success('{"id": "42"}'),
            '{"event":"pusher:signin_success","data":{"user_data":"{\\"id\\": \\"42\\"}"}}',
        ),
        (
            codec.watchlist_events(["7"], ["9", "11"]),
            '{"event":"pusher_internal:watchlist_events",'
            '"data":"{\\"events\\":[{\\"name\\":\\"online\\",\\"user_ids\\":[\\"7\\"]},'
            '{\\"name\\":\\"offline\\",\\"user_ids\\":[\\"9\\",\\"11\\"]}]}"}',
        ),
        (
            codec.watchlist_events([], ["9"]),
            '{"event":"pusher_internal:watchlist_events",'
            '"data":"{\\"events\\":[{\\"name\\":\\"offline\\",\\"user_ids\\":[\\"9\\"]}]}"}',
        ),
        (
            codec.subscription_count("room", 17),
            '{"event":"pusher_internal:subscription_count","channel":"room",'
            '"data":"{\\"subscription_count\\":17}"}',
        ),
        (
            codec.cache_miss("cache-room"),
            '{"event":"pusher:cache_miss","channel":"cache-room","data":"{}"}',
        ),
        (codec.event("e", "room", "a"), '{"event":"e","channel":"room","data":"a"}'),
    ],
)
def test_a_frame_reads_as_the_protocol_has_it(frame: Frame, text: str) -> None:
    assert text_of(frame) == text


@given(
    st.lists(
        st.builds(Member, texts, json_texts().map(lambda t: codec.compact(t.encode()))), max_size=5
    )
)
def test_a_snapshot_has_a_key_for_every_id(members: list[Member]) -> None:
    envelope = json.loads(codec.presence_subscription_succeeded("presence-a", members).payload)
    presence = json.loads(envelope["data"])["presence"]
    assert presence["count"] == len(presence["ids"]) == len(presence["hash"])
    assert set(presence["ids"]) == set(presence["hash"]) == {member.user_id for member in members}
    assert presence["hash"] == {m.user_id: json.loads(m.user_info) for m in members}


@given(texts, texts, texts, st.none() | texts)
def test_what_is_said_reaches_the_other_side_as_it_was(
    name: str, channel: str, data: str, user_id: str | None
) -> None:
    expected: dict[str, Any] = {"event": name, "channel": channel, "data": data}
    if user_id is not None:
        expected["user_id"] = user_id
    assert json.loads(codec.event(name, channel, data, user_id).payload) == expected


@given(texts, texts, st.none() | texts)
def test_a_subscribe_survives_its_way_through_json(
    channel: str, auth: str, channel_data: str | None
) -> None:
    data = {"channel": channel, "auth": auth, "channel_data": channel_data}
    expected = Subscribe(channel, auth, channel_data)
    said = {"event": "pusher:subscribe", "data": data}
    assert codec.decode(json.dumps(said)) == expected
    assert codec.decode(json.dumps(said, ensure_ascii=False, indent=1)) == expected
    assert codec.decode(json.dumps(said | {"data": json.dumps(data)})) == expected
