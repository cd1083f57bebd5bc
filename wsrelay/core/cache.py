"""What a cache channel remembers: its last event, for a while."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Cached(Struct, frozen=True):
    """The last event of a cache channel: its JSON text, and how long it is still true."""

    payload: bytes
    seconds_left: float


class Memory:
    """The cache channels of one node. ``clock`` is monotonic, in seconds.

    Bounded in bytes: when it is full, what was stored first goes first.
    """

    def __init__(self, clock: Callable[[], float], most_bytes: int) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._bytes = 0
        #: In order of storing: (app, channel) -> (payload, the time it ends).
        self._events: dict[tuple[str, str], tuple[bytes, float]] = {}

    def put(self, app_id: str, channel: str, payload: bytes, seconds: float) -> None:
        """Remember an event in place of the last one."""
        self._forget((app_id, channel))
        self._events[app_id, channel] = (payload, self._clock() + seconds)
        self._bytes += len(payload)
        self._make_room()

    async def get(self, app_id: str, channel: str) -> Cached | None:
        event = self._events.get((app_id, channel))
        if event is None:
            return None
        payload, end = event
        seconds_left = end - self._clock()
        if seconds_left <= 0:
            self._forget((app_id, channel))
            return None
        return Cached(payload, seconds_left)

    def limit(self, most_bytes: int) -> None:
        """Remember no more than this from now on."""
        self._most_bytes = most_bytes
        self._make_room()

    def _make_room(self) -> None:
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._events)))

    def _forget(self, key: tuple[str, str]) -> None:
        event = self._events.pop(key, None)
        if event is not None:
            self._bytes -= len(event[0])

    def __len__(self) -> int:
        return len(self._events)
