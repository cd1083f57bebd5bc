"""wsrelay.cluster.redis.envelope: the form that nodes of different versions have to agree on."""

from __future__ import annotations

import msgspec
import pytest

from wsrelay.cluster.redis.envelope import (
    Connections,
    Dead,
    Joined,
    Known,
    Left,
    Letter,
    Lonely,
    Post,
    Posts,
    Remarked,
    Shared,
    Terminate,
    decode,
    encode,
    start_of,
)
from wsrelay.core.publication import Whisper
from wsrelay.core.remarks import Came, Stand, Told, Went

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
    (
        Remarked("node", "node.1", 8, Came("1.2", "ada")),
        b"\x95\xa1r\xa4node\xa6node.1\x08\x93\xa1+\xa31.2\xa3ada",
    ),
    (
        Remarked("node", "node.1", 9, Went("1.2")),
        b"\x95\xa1r\xa4node\xa6node.1\x09\x92\xa1-\xa31.2",
    ),
    (
        Remarked(
            "node",
            "node.1",
            10,
            Told(
                [Came("1.2")],
                [Stand("ada", "e", "1.2", b"{}", (1.0, 2.0), ("bob",))],
                asks=3,
                answers=("b", 4),
            ),
        ),
        b"\x95\xa1r\xa4node\xa6node.1\x0a\x97\xa1t\x91\x93\xa1+\xa31.2\xc0"
        b"\x91\x96\xa3ada\xa1e\xa31.2\xc4\x02{}"
        b"\x92\xcb?\xf0\0\0\0\0\0\0\xcb@\0\0\0\0\0\0\0\x91\xa3bob"
        b"\xc3\xc3\x03\x92\xa1b\x04",
    ),
    (Dead(11, "node.1"), b"\x93\xa1d\x0b\xa6node.1"),
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


def test_a_newer_nodes_further_fields_of_a_remark_are_passed_over() -> None:
    told = ["t", [["+", "1.2", None, "new"]], [["a", "e", "1.2", b"", None, [], 0]], True, True]
    form = msgspec.msgpack.encode(["r", "node", "node.1", 1, [*told, 0, None, "new"]])
    expected = Told([Came("1.2")], [Stand("a", "e", "1.2", b"")])
    assert decode(form) == Remarked("node", "node.1", 1, expected)


def test_a_newer_nodes_remark_of_another_kind_is_not_understood() -> None:
    assert decode(msgspec.msgpack.encode(["r", "node", "node.1", 1, ["?", 1]])) is None


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
