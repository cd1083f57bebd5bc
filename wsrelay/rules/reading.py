"""Reading a field or two out of a client event's ``data``, which is otherwise passed on unread.

Clients send ``data`` as an object or as a string that holds one. The names of the fields are the
configuration's. How much there is to read is bounded by ``max_event_bytes``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, MsgspecError, UnsetType, defstruct, json

#: A coordinate beyond is none. What is left fits any arithmetic that is done with it.
FARTHEST = 1e9

_decode_text = json.Decoder(str).decode


def reader_of_position(x: str, y: str) -> Callable[[bytes], tuple[float, float] | None]:
    """A function that finds the two numbers named ``x`` and ``y``; ``None`` when they can't be."""
    decode = _decoder({"x": (x, float), "y": (y, float)})

    def read(data: bytes) -> tuple[float, float] | None:
        found = decode(data)
        if found is None or not (abs(found.x) <= FARTHEST and abs(found.y) <= FARTHEST):
            return None
        return found.x, found.y

    return read


def reader_of_addressee(field: str) -> Callable[[bytes], str | None]:
    """A function that finds to whom something is directed: ``None`` when the field is not there.

    It raises ``ValueError`` when there is one that can't be an id. A number is the text of that
    number, as in ``channel_data``.
    """
    decode = _decoder({"to": (field, Any, UNSET)})

    def read(data: bytes) -> str | None:
        found = decode(data)
        to = UNSET if found is None else found.to
        if isinstance(to, UnsetType):
            return None
        if isinstance(to, str) and to:
            return to
        if isinstance(to, int | float) and not isinstance(to, bool):
            return json.encode(to).decode()
        raise ValueError(f"{field}: expected a user id or a socket id")

    return read


def _decoder(fields: dict[str, tuple[Any, ...]]) -> Callable[[bytes], Any]:
    """A function that reads fields, each given as the name in ``data``, type and default."""
    kind = defstruct(
        "Fields",
        [(name, *rest) for name, (_, *rest) in fields.items()],
        rename={name: called for name, (called, *_) in fields.items()},
    )
    decode = json.Decoder(kind).decode

    def read(data: bytes) -> Any:
        try:
            return decode(_decode_text(data) if data.startswith(b'"') else data)
        except (MsgspecError, RecursionError):
            return None

    return read
