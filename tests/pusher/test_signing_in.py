"""wsrelay.pusher.signing_in, and what a session makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import APP, an_app
from tests.properties import depths_around_the_deepest, json_texts, json_values, texts
from tests.pusher.relayed import Client, Relayed, error
from wsrelay.core.apps import App
from wsrelay.core.errors import Code, ConnectionRefused
from wsrelay.pusher.messages import SignIn, User
from wsrelay.pusher.signatures import sign
from wsrelay.pusher.signing_in import proven_user

SOCKET_ID = "271828.31415926"


def user_of(user_data: str, app: App = APP) -> User:
    """The user in ``user_data`` that the app has signed."""
    auth = f"{app.key}:{sign(app, f'{SOCKET_ID}::user::{user_data}')}"
    return proven_user(app, SOCKET_ID, SignIn(auth, user_data))


def refusal(user_data: str, app: App = APP) -> str:
    with pytest.raises(ConnectionRefused) as raised:
        user_of(user_data, app)
    assert raised.value.code is Code.UNAUTHORIZED
    return raised.value.message


def succeeded(client: Client) -> bool:
    return [message["event"] for message in client.heard()] == ["pusher:signin_success"]


@pytest.mark.parametrize(
    ("user_data", "user"),
    [
        ('{"id":"42"}', User("42")),
        ('{"id":42}', User("42")),
        ('{"id":"42","user_info": {"name": "Ada"}}', User("42", b'{"name":"Ada"}')),
        ('{"id":"42","watchlist":["7",9,"7"]}', User("42", b"null", ("7", "9"))),
        ('{"id":"42","watchlist":["not a name","","7"]}', User("42", b"null", ("7",))),
        ('{"id":"a_-=@,.;Z","x":[]}', User("a_-=@,.;Z")),
    ],
)
def test_a_user_is_read_from_user_data(user_data: str, user: User) -> None:
    assert user_of(user_data) == user


@pytest.mark.parametrize(
    ("user_data", "fault"),
    [
        ("", "user_data: not as expected: "),
        ("[]", "user_data: not as expected: Expected `object`, got `array`"),
        ("{}", "user_data: not as expected: Object missing required field `id`"),
        ('{"id":null}', "user_data: not as expected: Expected `int | str`, got `null` - at `$.id`"),
        ('{"id":1.5}', "user_data: not as expected: Expected `int | str`, got `float` - at `$.id`"),
        ('{"id":"42","watchlist":5}', "user_data: not as expected: Expected `array`, got `int`"),
        ('{"id":""}', "user_data: id may hold letters, digits and _ - = @ , . ; only, and must"),
        ('{"id":"a b"}', "user_data: id may hold letters, digits and _ - = @ , . ; only, and must"),
        ('{"id":"42\\n"}', "user_data: id may hold letters, digits and _ - = @ , . ; only"),
    ],
)
def test_user_data_that_holds_no_user_is_told_what_was_expected(user_data: str, fault: str) -> None:
    assert refusal(user_data).startswith(fault)


def test_an_id_may_be_as_long_as_the_limit_and_no_longer() -> None:
    app = an_app(max_user_id_length=3)
    assert user_of('{"id":"abc"}', app).user_id == "abc"
    assert refusal('{"id":"abcd"}', app) == (
        "user_data: id has 4 characters, the limit is 3 (max_user_id_length)"
    )


def test_user_info_may_be_as_large_as_the_limit_and_no_larger() -> None:
    app = an_app(max_user_info_bytes=5)
    assert user_of('{"id":"1","user_info": [1, 2] }', app).user_info == b"[1,2]"
    assert refusal('{"id":"1","user_info":[1,23]}', app) == (
        "user_data: user_info has 6 bytes, the limit is 5 (max_user_info_bytes)"
    )


def test_who_brings_no_user_info_signs_in_where_none_is_allowed() -> None:
    assert user_of('{"id":"1"}', an_app(max_user_info_bytes=0)) == User("1")


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (SignIn(), "a sign-in needs auth and user_data, both strings"),
        (SignIn("k:s"), "a sign-in needs auth and user_data, both strings"),
        (SignIn("no colon", "{}"), "the auth token must have the form KEY:SIGNATURE"),
        (SignIn(APP.key + ":" + "0" * 64, "{}"), "the signature is wrong: "),
    ],
)
def test_a_sign_in_without_proof_is_refused(asked: SignIn, fault: str) -> None:
    with pytest.raises(ConnectionRefused) as raised:
        proven_user(APP, SOCKET_ID, asked)
    assert raised.value.code is Code.UNAUTHORIZED
    assert raised.value.message.startswith(fault)


def test_user_info_may_be_nested_at_any_depth_and_nothing_breaks() -> None:
    app = an_app(max_user_info_bytes=64 * 1024)

    def user(info: str) -> User:
        return user_of(f'{{"id":"1","user_info":{info}}}', app)

    outcomes = set()
    for depth in depths_around_the_deepest(user):
        try:
            user("[" * depth + "]" * depth)
        except ConnectionRefused:
            outcomes.add("refused")
        else:
            outcomes.add("understood")
    assert outcomes == {"understood", "refused"}


@given(
    texts
    | json_texts()
    | json_texts(
        st.fixed_dictionaries(
            {"id": st.sampled_from(["1", 1]) | json_values},
            optional={
                "watchlist": st.lists(texts | st.integers()) | json_values,
                "user_info": json_values,
            },
        )
    )
)
def test_any_user_data_holds_a_user_or_is_refused(user_data: str) -> None:
    try:
        user = user_of(user_data)
    except ConnectionRefused as refused:
        assert refused.message.startswith(("user_data: ", "a sign-in needs"))
    else:
        assert user.user_id
        assert len(set(user.watchlist)) == len(user.watchlist)


# -- in a conversation -------------------------------------------------------------------------


def test_a_success_returns_user_data_unchanged(relayed: Relayed) -> None:
    client = relayed.connect()
    user_data = '{ "id": "42", "user_info": {"name": "Zo\\u00eb"} }'
    auth = f"{APP.key}:{sign(APP, f'{client.socket_id}::user::{user_data}')}"
    data: dict[str, Any] = {"auth": auth, "user_data": user_data}
    client.says({"event": "pusher:signin", "data": data})
    assert client.heard() == [{"event": "pusher:signin_success", "data": {"user_data": user_data}}]


def test_a_bad_proof_is_4009_and_ends_the_connection(relayed: Relayed) -> None:
    client = relayed.connect()
    user_data = json.dumps({"id": "42"})
    client.says(
        {"event": "pusher:signin", "data": {"auth": f"{APP.key}:00", "user_data": user_data}}
    )
    assert client.closed is Code.UNAUTHORIZED
    (heard,) = client.heard()
    assert heard["data"]["message"].startswith("the signature is wrong")
    assert user_data not in heard["data"]["message"]
    assert len(relayed.users) == 0


def test_signing_in_again_as_the_same_user_succeeds_again(relayed: Relayed) -> None:
    client = relayed.connect()
    client.sign_in("42")
    assert succeeded(client)
    client.sign_in("42")
    assert succeeded(client)
    client.vanish()
    relayed.assert_empty()


def test_signing_in_as_another_user_is_refused_and_the_first_one_stays(relayed: Relayed) -> None:
    client = relayed.connect()
    client.sign_in("42")
    client.heard()
    client.sign_in("43")
    assert client.heard() == [error(4009, "this connection has signed in as another user already")]
    assert client.closed is None
    relayed.publish("#server-to-user-42")
    relayed.publish("#server-to-user-43")
    assert [message["channel"] for message in client.heard()] == ["#server-to-user-42"]
