"""What members of this node have said that has not come to its place among all that is heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

Said = tuple[str, str]
At = tuple[float, float]


class OnWay:
    """By the member's name and the event."""

    def __init__(self) -> None:
        self._many: Counter[Said] = Counter()
        #: By name, where those moves go. A question comes behind them, and an answer before.
        self.moving: dict[str, At] = {}

    def __contains__(self, said: object) -> bool:
        return said in self._many

    def __iter__(self) -> Iterator[Said]:
        return iter(self._many)

    def left(self, said: Said, at: At | None) -> None:
        self._many[said] += 1
        if at is not None:
            self.moving[said[0]] = at

    def arrived(self, said: Said, at: At | None) -> None:
        self._many[said] -= 1
        if self._many[said] <= 0:
            del self._many[said]
            if at is not None:
                self.moving.pop(said[0], None)
