"""wsrelay.pusher.signatures: the protocol's published vectors, and what must not pass for them.

The signatures below were cross-checked with Pusher's libraries for Node.js and Python.
"""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import APP, an_app
from tests.properties import channel_names, socket_ids, texts
from wsrelay.core.apps import Secret
from wsrelay.core.names import kind_of
from wsrelay.pusher.signatures import (
    SignatureMismatch,
    check_sign_in,
    check_subscription,
    is_signed,
    sign,
)

SOCKET_ID = "271828.31415926"
ADA = '{"user_id":"42","user_info":{"name":"Ada"}}'
ZOE_OF_NODE = '{"user_id":"42","user_info":{"name":"Zoë"}}'
ZOE_OF_PHP = '{"user_id":"42","user_info":{"name":"Zo\\u00eb"}}'
ZOE_OF_PYTHON = '{"user_id": "42", "user_info": {"name": "Zo\\u00eb"}}'
USER = '{"id":"42","user_info":{"name":"Ada"},"watchlist":["7","9"]}'

A1 = "176117575e4447018ca71c03729316c43b80f4212892e806f4a1ffe928d223b9"
A2 = "38df09011075f8938927f59bea07cf4965361169761d2966a2bef05abde4d2eb"
A3 = "756e028804a9930280c93d832ecc7db5591cdfd0963b1c0a2ec7b6489f6330cb"
A4 = "ac5d1269edd0fa9503d32f2448371f9c12c99a1e930fdb4d48f2a16087fb4657"
A5 = "1d6d15099af5cd805f0d2b4a8ece5550a871c239d9183c0175d0b3cebb101a46"
A6 = "aeae46bece46181da9e097dc07e5872c46ff53c53bacd8ca108b3e7559ba713c"
A7 = "d3b984215f859649c5dcd91ed3ee73c09e5aa4aa88d72740e71028c8d42ce90b"
A8 = "2f69320abed69b59957b84334936f375798821b52c7f0400bbcffec57bfb9037"

SIGNED = {
    f"{SOCKET_ID}:private-orders": A1,
    f"{SOCKET_ID}:presence-lobby:{ADA}": A2,
    f"{SOCKET_ID}:presence-lobby:{ZOE_OF_NODE}": A3,
    f"{SOCKET_ID}:presence-lobby:{ZOE_OF_PHP}": A4,
    f"{SOCKET_ID}:presence-lobby:{ZOE_OF_PYTHON}": A5,
    f"{SOCKET_ID}:private-encrypted-vault": A6,
    f"{SOCKET_ID}::user::{USER}": A7,
    f"{SOCKET_ID}:private-orders:{ADA}": A8,
}


def check(
    channel: str, auth: str | None, channel_data: str | None = None, socket_id: str = SOCKET_ID
) -> None:
    has_presence = kind_of(channel).has_presence
    check_subscription(APP, socket_id, channel, auth, channel_data, has_presence)


def mismatch(
    channel: str, auth: str | None, channel_data: str | None = None, socket_id: str = SOCKET_ID
) -> SignatureMismatch:
    with pytest.raises(SignatureMismatch) as raised:
        check(channel, auth, channel_data, socket_id)
    return raised.value


def token(signature: str) -> str:
    return f"{APP.key}:{signature}"


@pytest.mark.parametrize(("text", "signature"), SIGNED.items(), ids=[f"A{n}" for n in range(1, 9)])
def test_the_published_texts_have_the_published_signatures(text: str, signature: str) -> None:
    assert sign(APP, text) == signature
    assert is_signed(APP, text, signature)


@pytest.mark.parametrize(
    ("channel", "signature", "channel_data"),
    [
        pytest.param("private-orders", A1, None, id="A1"),
        pytest.param("presence-lobby", A2, ADA, id="A2"),
        pytest.param("presence-lobby", A3, ZOE_OF_NODE, id="A3"),
        pytest.param("presence-lobby", A4, ZOE_OF_PHP, id="A4"),
        pytest.param("presence-lobby", A5, ZOE_OF_PYTHON, id="A5"),
        pytest.param("private-encrypted-vault", A6, None, id="A6"),
        pytest.param("private-orders", A8, ADA, id="A8"),
    ],
)
def test_the_published_tokens_admit(channel: str, signature: str, channel_data: str | None) -> None:
    check(channel, token(signature), channel_data)


def test_a_private_channel_may_come_with_channel_data_that_was_not_signed() -> None:
    check("private-orders", token(A1), ADA)


def test_a_presence_channel_that_relies_on_sign_in_is_signed_without_channel_data() -> None:
    check("presence-lobby", token(sign(APP, f"{SOCKET_ID}:presence-lobby")))


@pytest.mark.parametrize(
    ("channel", "auth", "channel_data", "socket_id"),
    [
        pytest.param("private-orders", token(A1), None, "271828.31415927", id="another socket"),
        pytest.param("private-orders2", token(A1), None, SOCKET_ID, id="another channel"),
        pytest.param("private-orders", token(A1.upper()), None, SOCKET_ID, id="upper case"),
        pytest.param("private-orders", token(A1[:-1]), None, SOCKET_ID, id="a digit missing"),
        pytest.param("private-orders", token(A1 + "0"), None, SOCKET_ID, id="a digit too many"),
        pytest.param("private-orders", token(""), None, SOCKET_ID, id="no digit"),
        pytest.param("private-orders", token(" " + A1), None, SOCKET_ID, id="a space"),
        pytest.param("private-orders", token("é" * 64), None, SOCKET_ID, id="not ASCII"),
        pytest.param("private-orders", token("\ud800"), None, SOCKET_ID, id="no Unicode"),
        pytest.param("presence-lobby", token(A3), ZOE_OF_PHP, SOCKET_ID, id="A3 with A4's text"),
        pytest.param("presence-lobby", token(A2), None, SOCKET_ID, id="channel_data missing"),
        pytest.param("presence-lobby", token(A2), ADA + " ", SOCKET_ID, id="channel_data changed"),
        pytest.param("private-orders", token(A8), None, SOCKET_ID, id="A8 without its data"),
        pytest.param("private-orders", token(A8), ZOE_OF_PHP, SOCKET_ID, id="A8 with other data"),
        pytest.param("private-orders", f"{APP.key}::{A1}", None, SOCKET_ID, id="two colons"),
    ],
)
def test_a_signature_of_anything_else_does_not_admit(
    channel: str, auth: str, channel_data: str | None, socket_id: str
) -> None:
    told = mismatch(channel, auth, channel_data, socket_id)
    assert told.message.startswith("the signature is wrong: expected the HMAC-SHA256 (hex) of ")


def test_a_presence_channel_is_not_admitted_by_a_signature_without_its_channel_data() -> None:
    plain = token(sign(APP, f"{SOCKET_ID}:presence-lobby"))
    assert "socket_id:channel_name:channel_data" in mismatch("presence-lobby", plain, ADA).message


@pytest.mark.parametrize("auth", [None, ""])
def test_a_token_that_is_missing_is_asked_for(auth: str | None) -> None:
    assert mismatch("private-orders", auth).message == (
        "private-orders needs an auth token: the client's authEndpoint has to return one"
    )


def test_a_token_without_a_colon_is_told_its_form() -> None:
    assert (
        mismatch("private-orders", A1).message == "the auth token must have the form KEY:SIGNATURE"
    )


def test_another_apps_key_does_not_admit() -> None:
    assert "made with another app's key" in mismatch("private-orders", f"other-key:{A1}").message


def test_another_apps_secret_does_not_admit() -> None:
    other = an_app(secret=Secret("guess"))
    assert mismatch("private-orders", token(sign(other, f"{SOCKET_ID}:private-orders")))


def test_the_client_is_never_told_what_would_have_been_right() -> None:
    told = mismatch("presence-lobby", token(A1), ADA)
    assert told.expected == f"{SOCKET_ID}:presence-lobby:{ADA}"
    for secret in (A2, ADA, SOCKET_ID, APP.secret.reveal().decode()):
        assert secret not in told.message
        assert secret not in str(told)


def test_the_operator_is_told_every_text_that_would_have_been_right() -> None:
    told = mismatch("private-orders", token(A2), ADA)
    assert told.expected == f"{SOCKET_ID}:private-orders or {SOCKET_ID}:private-orders:{ADA}"


# -- sign-in -----------------------------------------------------------------------------------


def test_the_published_token_of_a_user_signs_in() -> None:
    check_sign_in(APP, SOCKET_ID, token(A7), USER)


@pytest.mark.parametrize(
    ("auth", "user_data", "socket_id", "told"),
    [
        pytest.param(token(A7), USER, "1.1", "the signature is wrong", id="another socket"),
        pytest.param(token(A7), USER + " ", SOCKET_ID, "the signature is wrong", id="changed"),
        pytest.param(token(A7.upper()), USER, SOCKET_ID, "the signature is wrong", id="upper case"),
        pytest.param(token(A7[:-1]), USER, SOCKET_ID, "the signature is wrong", id="cut short"),
        pytest.param(f"other:{A7}", USER, SOCKET_ID, "made with another app's key", id="other key"),
        pytest.param(A7, USER, SOCKET_ID, "must have the form KEY:SIGNATURE", id="no colon"),
        pytest.param(None, USER, SOCKET_ID, "needs auth and user_data", id="no auth"),
        pytest.param("", USER, SOCKET_ID, "needs auth and user_data", id="empty auth"),
        pytest.param(token(A7), None, SOCKET_ID, "needs auth and user_data", id="no user_data"),
    ],
)
def test_anything_else_does_not_sign_in(
    auth: str | None, user_data: str | None, socket_id: str, told: str
) -> None:
    with pytest.raises(SignatureMismatch, match=told) as raised:
        check_sign_in(APP, socket_id, auth, user_data)
    assert A7 not in raised.value.message
    assert raised.value.expected in ("", f"{socket_id}::user::{user_data}")


def test_a_sign_in_does_not_open_a_channel() -> None:
    # The two texts that are signed differ in their colons, which no channel's name may hold.
    assert mismatch("private-orders", token(A7), USER)


# -- all signatures ----------------------------------------------------------------------------


@given(texts, texts)
def test_signing_is_hmac_sha256_over_utf8_in_lower_case_hex(secret: str, text: str) -> None:
    expected = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    app = an_app(secret=Secret(secret))
    assert sign(app, text) == expected
    assert is_signed(app, text, expected)


@given(socket_ids, channel_names, st.none() | texts, st.none() | st.text())
def test_only_the_right_token_admits(
    socket_id: str, channel: str, channel_data: str | None, wrong: str | None
) -> None:
    text = f"{socket_id}:{channel}"
    if kind_of(channel).has_presence and channel_data is not None:
        text += f":{channel_data}"
    check(channel, token(sign(APP, text)), channel_data, socket_id)
    assert mismatch(channel, wrong, channel_data, socket_id).message
