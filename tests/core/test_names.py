"""wsrelay.core.names"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import texts
from wsrelay.core.names import KINDS, PUBLIC, fault_in_channel_name, fault_in_event_name, kind_of

#: The protocol's table: prefix, auth, presence, cached, client events may be sent.
TABLE = {
    "private-encrypted-cache-": "auth cached encrypted",
    "private-encrypted-": "auth encrypted",
    "private-cache-": "auth cached",
    "presence-cache-": "auth presence cached",
    "private-": "auth",
    "presence-": "auth presence",
    "cache-": "cached",
    "#watchlist-": "unlisted",
    "#server-to-user-": "one-user unlisted",
}


def promises(name: str) -> str:
    kind = kind_of(name)
    words = {
        "auth": kind.needs_auth,
        "presence": kind.has_presence,
        "cached": kind.is_cached,
        "encrypted": kind.is_encrypted,
        "one-user": kind.is_for_one_user,
        "unlisted": not kind.is_listed,
    }
    return " ".join(word for word, is_so in words.items() if is_so)


@pytest.mark.parametrize(("prefix", "promised"), TABLE.items())
def test_the_prefix_says_what_a_channel_is(prefix: str, promised: str) -> None:
    assert set(promises(f"{prefix}room").split()) == set(promised.split())
    assert kind_of(f"{prefix}room").prefix == prefix


def test_the_table_is_complete() -> None:
    assert {kind.prefix for kind in KINDS} == set(TABLE)


@pytest.mark.parametrize(
    "name",
    [
        "room",
        "my-cache-room",
        "cacheable",
        "cache",
        "privateer",
        "private",
        "presence",
        "presences-room",
        "Private-room",
        "my-private-room",
        "encrypted-room",
        "",
    ],
)
def test_a_prefix_counts_at_the_start_and_with_its_dash_only(name: str) -> None:
    assert kind_of(name) is PUBLIC
    assert promises(name) == ""


@given(st.sampled_from(["", *TABLE]), texts)
def test_the_longest_prefix_that_fits_is_the_kind(prefix: str, rest: str) -> None:
    name = prefix + rest
    fitting = [known for known in ["", *TABLE] if name.startswith(known)]
    assert kind_of(name).prefix == max(fitting, key=len)


@pytest.mark.parametrize(
    "name",
    [
        "room",
        "private-orders",
        "a",
        "A-Z_09=@,.;",
        "#server-to-user-42",
        "presence-App.Models.User.1",
        "r" * 200,
    ],
)
def test_a_channel_may_have_this_name(name: str) -> None:
    assert fault_in_channel_name(name, 200) is None


@pytest.mark.parametrize(
    "name",
    [
        "a room",
        "room\n",
        "raum-über",
        "a/b",
        "a:b",
        "a#b",
        "#room",
        "#server-to-user-",
        "#server-to-user-#server-to-user-1",
        "#watchlist-1",
        "private-#server-to-user-1",
        "a\x00b",
        "１２",
    ],
)
def test_a_channel_may_not_have_this_name(name: str) -> None:
    fault = fault_in_channel_name(name, 200)
    assert fault == "a channel's name may hold letters, digits and _ - = @ , . ; only"


def test_an_empty_name_is_no_name() -> None:
    assert fault_in_channel_name("", 200) == "a channel's name must not be empty"
    assert fault_in_event_name("", 200) == "an event's name must not be empty"


def test_a_channels_name_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert fault_in_channel_name("r" * 20, 20) is None
    assert fault_in_channel_name("r" * 21, 20) == (
        "the channel's name has 21 characters, the limit is 20 (max_channel_name_length)"
    )


def test_an_events_name_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert fault_in_event_name("é" * 20, 20) is None
    assert fault_in_event_name("é" * 21, 20) == (
        "the event's name has 21 characters, the limit is 20 (max_event_name_length)"
    )


@pytest.mark.parametrize(
    "name", ["order.shipped", "App\\Events\\OrderShipped", "größer", "pusher", "client-x"]
)
def test_a_backend_may_name_an_event_so(name: str) -> None:
    assert fault_in_event_name(name, 200) is None


@pytest.mark.parametrize("name", ["pusher:error", "pusher_internal:member_added", "pusher:"])
def test_the_protocols_own_event_names_are_not_for_backends(name: str) -> None:
    assert fault_in_event_name(name, 200) == (
        "names that start with pusher: or pusher_internal: are the protocol's own"
    )


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_every_text_is_judged_and_none_raises(name: str, longest: int) -> None:
    kind_of(name)
    fault = fault_in_channel_name(name, longest)
    if fault is None:
        assert 0 < len(name) <= longest
        assert name.isascii()
    if fault_in_event_name(name, longest) is None:
        assert 0 < len(name) <= longest
