"""wsrelay.web.exchange"""

from __future__ import annotations

from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.properties  # noqa: F401  (how many examples, and which)
from wsrelay.web.exchange import EMPTY, answer, parse_query, refusal


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        ("", []),
        ("a=1&b=2", [("a", "1"), ("b", "2")]),
        ("a=1&a=2", [("a", "1"), ("a", "2")]),
        ("a=&b", [("a", ""), ("b", "")]),
        ("&&a=1&", [("a", "1")]),
        ("a=1;b=2", [("a", "1;b=2")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=x+y&b=x%20y&c=x%2By", [("a", "x y"), ("b", "x y"), ("c", "x+y")]),
        ("info%5B0%5D=a&info[]=b", [("info[0]", "a"), ("info[]", "b")]),
        ("a=%26%3D%3B", [("a", "&=;")]),
        ("a=%zz%", [("a", "%zz%")]),
        ("a=%ff", [("a", "\ufffd")]),
    ],
)
def test_a_query_is_split_at_ampersands_only_and_blank_values_are_kept(
    raw: str, pairs: list[tuple[str, str]]
) -> None:
    assert parse_query(raw) == pairs


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(
    st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=5), st.sampled_from([quote, quote_plus])
)
def test_whatever_a_library_has_escaped_comes_back(
    pairs: list[tuple[str, str]], quoting: object
) -> None:
    assert parse_query(urlencode(pairs, quote_via=quoting)) == pairs  # type: ignore[call-overload]


def test_a_success_is_200_with_an_object_and_a_refusal_says_its_status() -> None:
    assert (EMPTY.status, EMPTY.body, EMPTY.content_type) == (200, b"{}", "application/json")
    assert answer({"channels": {}}).body == b'{"channels":{}}'
    refused = refusal(404, "not here")
    assert (refused.status, refused.body) == (404, b'{"error":"not here","code":404}')
