"""A request and its answer, as the API sees them: values, without a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from msgspec import Struct, json


def somebody() -> str:
    """Of whom nothing is known."""
    return "somebody"


class Request(Struct, frozen=True):
    method: str
    #: As it was requested: raw, escaped, without the query.
    path: str
    #: Decoded pairs in order of appearance, repeated keys kept.
    query: list[tuple[str, str]]
    body: bytes
    #: Names who asks: for the log, and only worked out when it is written.
    asker: Callable[[], str] = somebody


class Answer(Struct, frozen=True):
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


EMPTY = Answer(200, b"{}")


def answer(value: Any) -> Answer:
    """200 with a JSON object: the only success that PHP's library accepts."""
    return Answer(200, json.encode(value))


def refusal(status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An error; its text reaches the developer's log by way of the backend library."""
    return Answer(status, json.encode({"error": message, "code": status}), headers=headers)


def parse_query(raw: str) -> list[tuple[str, str]]:
    """The pairs of a query string, split at ``&`` only, blank values kept.

    Not Twisted's ``parse_qs`` (26.10): that one also splits at ``;`` and drops pieces without
    ``=``, and ``;`` is legal in a channel's name.
    """
    pairs = []
    for piece in raw.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            if "%" in piece or "+" in piece:
                name, value = unquote_plus(name), unquote_plus(value)
            pairs.append((name, value))
    return pairs
