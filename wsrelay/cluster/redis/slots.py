"""Which of a Redis Cluster's 16384 slots a key is in, and who has which (Redis Cluster's
specification, "Key distribution model")."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Sequence
from typing import Any

SLOTS = 16384
Host = tuple[str, int]
#: Seconds in which all nodes subscribe again to channels whose slot has moved. The cluster tells
#: them at the moment at which it does.
FOLLOWING = 1.5


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


class SlotMap:
    """Who has which slot, as far as this node knows, and which of them have moved lately."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._owners: list[Host | None] = [None] * SLOTS
        self._moved: dict[int, float] = {}

    @property
    def is_whole(self) -> bool:
        return None not in self._owners

    @property
    def masters(self) -> set[Host]:
        return {host for host in self._owners if host is not None}

    def owner(self, key: str | bytes) -> Host | None:
        return self._owners[slot_of(_bytes(key))]

    def take(self, found: list[Host | None]) -> bool:
        """A newer map; whether it is another one."""
        if found == self._owners:
            return False
        now = self._clock()
        self._moved = {slot: at for slot, at in self._moved.items() if at + FOLLOWING > now}
        for slot, (was, owner) in enumerate(zip(self._owners, found, strict=True)):
            if was is not None and was != owner:
                self._moved[slot] = now
        self._owners = found
        return True

    def is_settled(self, key: str | bytes) -> bool:
        """Whether whoever listens to a channel has followed its slot to where it is."""
        moved = self._moved.get(slot_of(_bytes(key)))
        return moved is None or moved + FOLLOWING <= self._clock()


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
