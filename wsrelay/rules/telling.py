"""All that a node has of a channel, as it tells it to other nodes, in parts that fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..core.remarks import Came, Stand, Told
from .present import Present
from .proximity import Proximity
from .snapshot import Snapshot

#: Bytes in one part; and what a connection is taken to need of them.
MOST_BYTES = 256 * 1024
CONNECTION_BYTES = 48

NOBODY: Mapping[str, tuple[float, float]] = {}


class Telling:
    """Its connections, and what their members said last, by which of their tabs ever."""

    def __init__(
        self,
        present: Present,
        snapshot: Snapshot | None,
        proximity: Proximity | None,
        *,
        has_presence: bool,
    ) -> None:
        self._present = present
        self._snapshot = snapshot
        self._proximity = proximity
        self._has_presence = has_presence

    def parts(
        self,
        moving: Mapping[str, tuple[float, float]] = NOBODY,
        *,
        asks: int = 0,
        answers: tuple[str, int] | None = None,
        has_stands: bool = True,
    ) -> Iterator[Told]:
        """``moving``: where members are who have not been judged there yet.

        ``has_stands``: whether what they said last is told as well.
        """
        connections: list[Came] = []
        stands: list[Stand] = []
        size, is_first = 0, True
        for socket_id, name in self._present:
            if size > MOST_BYTES:
                yield Told(connections, [], is_first, False, asks, answers)
                connections, size, is_first = [], 0, False
            connections.append(Came(socket_id, name if self._has_presence else None))
            size += CONNECTION_BYTES
        for stand in self._stands(moving) if has_stands else ():
            if size > MOST_BYTES:
                yield Told(connections, stands, is_first, False, asks, answers)
                connections, stands, size, is_first = [], [], 0, False
            stands.append(stand)
            size += len(stand.payload) + sum(len(name) for name in stand.near)
        yield Told(connections, stands, is_first, True, asks, answers)

    def _stands(self, moving: Mapping[str, tuple[float, float]]) -> Iterator[Stand]:
        told: set[tuple[str, str]] = set()
        if self._proximity is not None:
            for place, at, near in self._proximity.stands(self._present, moving):
                _, event, socket_id = place.slot
                told.add((place.name, event))
                yield Stand(place.name, event, socket_id, place.frame.payload, at, near)
        if self._snapshot is not None:
            for name, event, frame, (_, _, socket_id) in self._snapshot.of(self._present):
                if (name, event) not in told:
                    yield Stand(name, event, socket_id, frame.payload)
