"""wsrelay.pusher.admission"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.properties  # noqa: F401  (how many examples)
from tests.doubles import APP, an_app
from wsrelay.core.apps import App, Apps
from wsrelay.core.errors import Code, ConnectionRefused
from wsrelay.pusher.admission import Hello, admit, is_origin_allowed


def refusal(app: App, hello: Hello, open_connections: int = 0) -> tuple[Code, str]:
    with pytest.raises(ConnectionRefused) as raised:
        admit(Apps([app]), hello, open_connections)
    return raised.value.code, raised.value.message


def hello(key: str = APP.key, protocol: str | None = "7", origin: str = "") -> Hello:
    return Hello(key, protocol, origin)


def test_a_client_with_a_known_key_is_admitted_to_that_app() -> None:
    assert admit(Apps([an_app(id="1", key="other"), APP]), hello(), 0) is APP


@pytest.mark.parametrize("protocol", ["5", "6", "7", None])
def test_protocols_5_to_7_are_spoken_and_none_means_7(protocol: str | None) -> None:
    assert admit(Apps([APP]), hello(protocol=protocol), 0) is APP


def test_an_unknown_key_is_4001_and_quoted() -> None:
    assert refusal(APP, hello(key="wrong")) == (
        Code.APP_NOT_FOUND,
        "no app has the key 'wrong': compare the client's key with the server's",
    )


def test_a_long_unknown_key_is_cut_short() -> None:
    _, message = refusal(APP, hello(key="k" * 5000))
    assert f"{'k' * 64!r}" in message
    assert len(message) < 150


def test_an_apps_id_is_not_its_key() -> None:
    assert refusal(APP, hello(key=APP.id))[0] is Code.APP_NOT_FOUND


def test_a_disabled_app_is_4003_and_names_the_setting() -> None:
    assert refusal(an_app(enabled=False), hello()) == (
        Code.APP_DISABLED,
        "this app is disabled (enabled = false)",
    )


@pytest.mark.parametrize("protocol", ["", "seven", "7.0", "-7", "7a", "٧", " 7"])
def test_a_protocol_that_is_no_number_is_4006(protocol: str) -> None:
    assert refusal(APP, hello(protocol=protocol)) == (
        Code.VERSION_MALFORMED,
        "protocol must be a number: 5, 6 or 7",
    )


@pytest.mark.parametrize("protocol", ["4", "8", "0", "77", "9" * 500])
def test_another_protocol_is_4007_and_is_told_which_are_spoken(protocol: str) -> None:
    assert refusal(APP, hello(protocol=protocol)) == (
        Code.VERSION_UNSUPPORTED,
        f"protocol {protocol[:8]} is not spoken here: use 5, 6 or 7",
    )


def test_a_page_from_elsewhere_is_4009_and_names_the_setting() -> None:
    app = an_app(allowed_origins=("example.com",))
    assert refusal(app, hello(origin="https://evil.test")) == (
        Code.UNAUTHORIZED,
        "pages of https://evil.test may not connect (allowed_origins)",
    )
    assert refusal(app, hello(origin=""))[1] == (
        "pages of no origin may not connect (allowed_origins)"
    )


def test_the_connection_above_the_limit_is_4004_and_the_last_below_it_is_admitted() -> None:
    app = an_app(max_connections=2)
    assert admit(Apps([app]), hello(), 1) is app
    assert refusal(app, hello(), 2) == (
        Code.OVER_CONNECTION_QUOTA,
        "the app has 2 connections open, its limit (max_connections)",
    )


def test_no_limit_of_connections_means_any_number() -> None:
    assert admit(Apps([APP]), hello(), 1_000_000) is APP


def test_the_first_thing_wrong_decides_the_code() -> None:
    app = an_app(enabled=False, allowed_origins=("example.com",), max_connections=1)
    wrong = Hello("wrong", "4", "https://evil.test")
    assert refusal(app, wrong, 9)[0] is Code.APP_NOT_FOUND
    right_key = Hello(APP.key, "4", "https://evil.test")
    assert refusal(app, right_key, 9)[0] is Code.APP_DISABLED
    enabled = an_app(allowed_origins=("example.com",), max_connections=1)
    assert refusal(enabled, right_key, 9)[0] is Code.VERSION_UNSUPPORTED
    right_version = Hello(APP.key, "7", "https://evil.test")
    assert refusal(enabled, right_version, 9)[0] is Code.UNAUTHORIZED
    right_origin = Hello(APP.key, "7", "https://example.com")
    assert refusal(enabled, right_origin, 9)[0] is Code.OVER_CONNECTION_QUOTA
    assert admit(Apps([enabled]), right_origin, 0) is enabled


@pytest.mark.parametrize(
    ("pattern", "origin"),
    [
        ("*", ""),
        ("*", "anything at all"),
        ("example.com", "https://example.com"),
        ("example.com", "http://example.com:8080"),
        ("Example.COM", "https://EXAMPLE.com"),
        ("*.example.com", "https://a.b.example.com"),
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("::1", "http://[::1]:3000"),
    ],
)
def test_a_page_may_connect_when_its_host_fits(pattern: str, origin: str) -> None:
    assert is_origin_allowed(an_app(allowed_origins=("other.test", pattern)), origin)


@pytest.mark.parametrize(
    ("pattern", "origin"),
    [
        ("example.com", "https://example.com.evil.test"),
        ("example.com", "https://evil.test/example.com"),
        ("example.com", "https://example.com@evil.test"),
        ("example.com", "https://www.example.com"),
        ("*.example.com", "https://example.com"),
        ("*.example.com", "https://evilexample.com"),
        ("example.com", "null"),
        ("example.com", "example.com"),
        ("example.com", "http://["),
        ("example.com", ""),
    ],
)
def test_a_page_may_not_connect_when_its_host_does_not_fit(pattern: str, origin: str) -> None:
    assert not is_origin_allowed(an_app(allowed_origins=(pattern,)), origin)


@given(
    st.text(),
    st.none() | st.text(),
    st.text(),
    st.integers(min_value=0, max_value=3),
    st.booleans(),
)
def test_whatever_a_client_shows_it_is_admitted_or_told_why(
    key: str, protocol: str | None, origin: str, connections: int, is_known: bool
) -> None:
    app = an_app(allowed_origins=("example.com",), max_connections=2)
    shown = Hello(app.key if is_known else key, protocol, origin)
    try:
        assert admit(Apps([app]), shown, connections) is app
    except ConnectionRefused as refused:
        assert 4000 < refused.code < 4100
        assert refused.message
