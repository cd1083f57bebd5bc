"""wsrelay.config.dotenv: every expectation here is what vlucas/phpdotenv 5.4 made of the line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.properties  # noqa: F401  (how many examples, and which)
from wsrelay.config.dotenv import parse

ABOVE = 'BASE=base\nAPP_NAME="My App"\n'


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=plain", "plain"),
        ("NAME= spaced", "spaced"),
        ("NAME=trailing   ", "trailing"),
        ("  NAME=indented", "indented"),
        ("NAME =key", "key"),
        ("export NAME=exported", "exported"),
        ('NAME="double quoted"', "double quoted"),
        ("NAME='single quoted'", "single quoted"),
        ('NAME="with # hash"', "with # hash"),
        ("NAME='with # hash'", "with # hash"),
        ("NAME=with#hash", "with"),
        ("NAME=with # a comment", "with"),
        ('NAME="quoted" # a comment', "quoted"),
        ("NAME='quoted'#a comment", "quoted"),
        ("NAME=${BASE}/x", "base/x"),
        ('NAME="${BASE}/x"', "base/x"),
        ('NAME="${APP_NAME}"', "My App"),
        ("NAME='${BASE}/x'", "${BASE}/x"),
        ("NAME=${MISSING}", "${MISSING}"),
        ('NAME="${MISSING}x"', "${MISSING}x"),
        ("NAME=$BASE", "$BASE"),
        (r'NAME="\${BASE}"', "${BASE}"),
        (r'NAME="a\"b"', 'a"b'),
        (r'NAME="a\\b"', r"a\b"),
        (r'NAME="a\nb\tc\rd"', "a\nb\tc\rd"),
        (r"NAME='a\nb'", r"a\nb"),
        (r"NAME=back\slash", r"back\slash"),
        ("NAME=", ""),
        ('NAME=""', ""),
        ("NAME=''", ""),
        ("NAME=null", "null"),
        ('NAME="two\nlines"', "two\nlines"),
        ('NAME="p@ss$w0rd"', "p@ss$w0rd"),
        ("NAME=p@ss'w0rd", "p@ss'w0rd"),
        ('NAME=a"b"c', 'a"b"c'),
        ("NAME=base64:abc=", "base64:abc="),
        ("NAME=x;y", "x;y"),
        ("NAME=é", "é"),
    ],
)
def test_a_value_is_read_as_laravel_reads_it(line: str, value: str) -> None:
    for ending in ("", "\n", "\r\n", "\n\nOTHER=x\n"):
        assert parse(ABOVE + line + ending, {})["NAME"] == value


@pytest.mark.parametrize(
    "line",
    [
        "NAME=two words",
        "NAME='a'b",
        'NAME="a"b',
        r"NAME='it\'s'",
        r'NAME="\q"',
        'NAME="unterminated',
        "NAME='unterminated",
        "NAME: yaml",
        "NA-ME=x",
        "=x",
        "not a variable",
    ],
)
def test_a_line_that_laravel_refuses_is_told_by_its_number_without_its_text(line: str) -> None:
    with pytest.raises(ValueError, match=r"\Aline 3: expected NAME=value") as raised:
        parse(f"{ABOVE}{line}\nOTHER=x\n", {})
    assert line not in str(raised.value)


def test_comments_blank_lines_and_bare_names_say_nothing() -> None:
    assert parse("\n  # a comment\n\nNAME\n#NAME=x\n\t\n", {}) == {}
    assert parse("", {}) == {}


def test_a_variable_is_looked_up_further_up_first_and_then_in_the_environment() -> None:
    environ = {"HOST": "from the environment", "BASE": "hidden"}
    assert parse("BASE=x\nNAME=${BASE}\nOTHER=${HOST}\nLATE=later", environ) == {
        "BASE": "x",
        "NAME": "x",
        "OTHER": "from the environment",
        "LATE": "later",
    }
    assert parse("NAME=${LATE}\nLATE=later", {})["NAME"] == "${LATE}"


def test_of_two_lines_with_one_name_the_last_counts() -> None:
    assert parse("NAME=a\nNAME=b", {}) == {"NAME": "b"}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_can_be_written_in_double_quotes(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert parse(f'NAME="{escaped}"', {}) == {"NAME": value}


@given(st.text(alphabet="AB=\"'${}\\# \nx", max_size=30))
def test_any_text_is_read_or_refused_with_a_line_number(text: str) -> None:
    try:
        parse(text, {})
    except ValueError as error:
        assert str(error).startswith("line ")
