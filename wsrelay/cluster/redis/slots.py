"""Which of a Redis Cluster's 16384 slots a key is in, and who has which (Redis Cluster's
specification, "Key distribution model")."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from typing import Any

SLOTS = 16384
Host = tuple[str, int]


def slot_of(key: bytes) -> int:
    """By what stands in the first braces, if there are any and they hold something."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % SLOTS


def owners(reply: Sequence[Any], asked: str) -> list[Host | None]:
    """The master of each slot, out of the reply to ``CLUSTER SLOTS`` of the host ``asked``.

    A node that does not know its own name gives none; then it is the one that was asked.
    """
    found: list[Host | None] = [None] * SLOTS
    for first, last, (host, port, *_), *_ in reply:
        owner = (host.decode() if host else asked, int(port))
        found[first : last + 1] = [owner] * (last + 1 - first)
    return found
