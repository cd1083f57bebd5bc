"""What somebody who joins is told of those who are there: the newest of each member's events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterator

from ..core.frame import Frame
from ..core.notices import Tally
from ..core.ports import Slot

#: What one channel remembers at most; past it, what was said the longest ago is forgotten.
MOST_BYTES = 1024 * 1024
MOST_EVENTS = 100_000


class Snapshot:
    """The newest event of each kind of each member."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._bytes = 0
        #: By member and event; what was said the longest ago first.
        self._newest: OrderedDict[tuple[str, str], tuple[Frame, Slot]] = OrderedDict()
        self._events: dict[str, set[str]] = {}

    def remember(self, name: str, event: str, frame: Frame, slot: Slot) -> None:
        self._forget(name, event)
        self._newest[name, event] = frame, slot
        self._events.setdefault(name, set()).add(event)
        self._bytes += len(frame.payload)
        while self._bytes > MOST_BYTES or len(self._newest) > MOST_EVENTS:
            self._tally.snapshots_cut += 1
            self._forget(*next(iter(self._newest)))

    def forget(self, name: str) -> None:
        """The member is gone."""
        for event in tuple(self._events.get(name, ())):
            self._forget(name, event)

    def _forget(self, name: str, event: str) -> None:
        known = self._newest.pop((name, event), None)
        if known is not None:
            self._bytes -= len(known[0].payload)
            events = self._events[name]
            events.discard(event)
            if not events:
                del self._events[name]

    def of(self, names: Container[str]) -> Iterator[tuple[str, str, Frame, Slot]]:
        """Member, event, frame and slot of what these members said."""
        for (name, event), (frame, slot) in self._newest.items():
            if name in names:
                yield name, event, frame, slot

    def holds(self, name: str, event: str, payload: bytes) -> bool:
        known = self._newest.get((name, event))
        return known is not None and known[0].payload == payload

    def __iter__(self) -> Iterator[tuple[Frame, Slot]]:
        """In the order in which they were said."""
        return iter(tuple(self._newest.values()))

    def __len__(self) -> int:
        return len(self._newest)
