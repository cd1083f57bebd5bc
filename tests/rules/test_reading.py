"""wsrelay.rules.reading"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import depths_around_the_deepest, json_texts, json_values
from wsrelay.rules.reading import FARTHEST, reader_of_addressee, reader_of_position

position = reader_of_position("x", "y")
addressee = reader_of_addressee("to")
coordinates = st.floats(-FARTHEST, FARTHEST, allow_nan=False) | st.integers(-(10**9), 10**9)


@given(coordinates, coordinates, json_values)
def test_a_position_is_read_from_an_object_and_from_a_string_that_holds_one(
    x: float, y: float, more: Any
) -> None:
    text = json.dumps({"more": more, "y": y, "x": x})
    assert position(text.encode()) == (x, y)
    assert position(json.dumps(text).encode()) == (x, y)


@given(json_texts())
def test_whatever_json_comes_it_is_a_position_or_it_is_not(text: str) -> None:
    for data in (text.encode(), json.dumps(text).encode()):
        found = position(data)
        assert found is None or all(isinstance(number, float) for number in found)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[1,2]",
        b'"x"',
        b'"{"',
        b'{"x":1}',
        b'{"x":1,"y":"2"}',
        b'{"x":1,"y":null}',
        b'{"x":1,"y":true}',
        b'{"x":1e400,"y":1}',
        b'{"x":1,"y":1e10}',
        b'{"x":-1e10,"y":1}',
        b'{"X":1,"Y":1}',
        b'"\\ud800"',
    ],
)
def test_what_is_no_position_is_none(data: bytes) -> None:
    assert position(data) is None


def test_the_fields_are_those_that_are_configured() -> None:
    read = reader_of_position("position x", "to")
    assert read(b'{"position x": 1, "to": 2.5}') == (1.0, 2.5)


def test_an_addressee_is_a_text_or_a_number() -> None:
    assert addressee(b'{"to":"ada"}') == "ada"
    assert addressee(b'"{\\"to\\":\\"1.2\\"}"') == "1.2"
    assert addressee(b'{"to":42}') == "42"
    assert addressee(b'{"to":1.5}') == "1.5"


@pytest.mark.parametrize("data", [b"", b"null", b"{}", b'"hello"', b"[]", b'{"for":"ada"}'])
def test_without_the_field_there_is_no_addressee(data: bytes) -> None:
    assert addressee(data) is None


@pytest.mark.parametrize("to", ['""', "null", "true", '["ada"]', '{"id":1}'])
def test_a_field_that_can_be_no_id_is_told(to: str) -> None:
    with pytest.raises(ValueError, match="to: expected a user id or a socket id"):
        addressee(f'{{"to":{to}}}'.encode())


def test_data_however_deep_is_read_or_not() -> None:
    def read(text: str) -> tuple[float, float]:
        found = position(f'{{"more":{text},"x":1,"y":2}}'.encode())
        if found is None:
            raise ValueError
        return found

    for depth in depths_around_the_deepest(read):
        data = f'{{"more":{"[" * depth + "]" * depth},"x":1,"y":2}}'
        assert position(data.encode()) in (None, (1.0, 2.0))
