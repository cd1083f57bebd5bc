"""wsrelay.cluster.redis.envelope: the form that nodes of different versions have to agree on."""

from __future__ import annotations

import msgspec
import pytest

from wsrelay.cluster.redis.envelope import (
    Connections,
    Joined,
    Known,
    Left,
    Letter,
    Lonely,
    Post,
    Posts,
    Shared,
    Terminate,
    decode,
    encode,
    start_of,
)
from wsrelay.core.publication import Whisper

FORMS: list[tuple[Letter, bytes]] = [
    (
        Posts("node", 7, 6, [Post(b"{}"), Post(b"[]", "1.2", Whisper("e", "1.2", to="a"))]),
        b"\x95\xa1p\xa4node\x07\x06\x92\x93\xc4\x02{}\xc0\xc0"
        b"\x93\xc4\x02[]\xa31.2\x95\xa1e\xa31.2\xc0\xa1a\xc0",
    ),
    (Joined(1, "ada", "null", "1.2"), b"\x95\xa1+\x01\xa3ada\xa4null\xa31.2"),
    (Left(2, "ada"), b"\x93\xa1-\x02\xa3ada"),
    (Shared(3), b"\x92\xa1i\x03"),
    (Known(4), b"\x92\xa1k\x04"),
    (Lonely(5), b"\x92\xa1l\x05"),
    (Terminate("node"), b"\x92\xa1x\xa4node"),
    (Connections("node", "app", 6), b"\x94\xa1c\xa4node\xa3app\x06"),
]


@pytest.mark.parametrize(("letter", "form"), FORMS)
def test_the_form_stays_as_it_is(letter: Letter, form: bytes) -> None:
    assert encode(letter) == form
    assert decode(form) == letter


@pytest.mark.parametrize(("letter", "form"), FORMS)
def test_a_newer_nodes_further_fields_are_passed_over(letter: Letter, form: bytes) -> None:
    fields = [*msgspec.msgpack.decode(form), "new", {"and": ["more"]}]
    assert decode(msgspec.msgpack.encode(fields)) == letter


def test_a_newer_nodes_further_fields_of_a_post_are_passed_over() -> None:
    form = msgspec.msgpack.encode(["p", "node", 1, 0, [[b"{}", None, None, "new"]]])
    assert decode(form) == Posts("node", 1, 0, [Post(b"{}")])


def test_an_older_nodes_missing_fields_have_their_defaults() -> None:
    form = msgspec.msgpack.encode(["p", "node", 1, 0, [[b"{}"]]])
    assert decode(form) == Posts("node", 1, 0, [Post(b"{}")])


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x92\xa1?\x01", b"\x91\xa1p", b"\xc1"])
def test_what_is_not_understood_is_none(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize("number", [0, 127, 2**31, 2**53])
def test_a_nodes_own_posts_are_known_by_their_start(number: int) -> None:
    mine = encode(Posts("a node", number, number, [Post(b"{}")] * 20))
    assert mine.startswith(start_of("a node"))
    assert not mine.startswith(start_of("another"))
