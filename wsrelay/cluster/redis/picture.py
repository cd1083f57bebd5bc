"""One presence channel as this node's clients know it, and how far that picture has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred

from ...core.roster import Member
from .envelope import Changed, Joined, Left


class Picture:
    """One channel as this node's clients know it."""

    def __init__(self) -> None:
        #: This node's connections, and how many each user has.
        self.here: dict[str, Member] = {}
        self.users: Counter[str] = Counter()
        #: In order of arrival.
        self.members: dict[str, Member] = {}
        #: How far the picture has come; ``None`` before the first snapshot.
        self.version: int | None = None
        #: What was announced before the first snapshot was there.
        self.early: list[Joined | Left | Changed] = []
        self.waiting: list[tuple[int, Deferred[None]]] = []

    async def reached(self, version: int) -> None:
        """Wait until the picture has come so far."""
        if self.version is None or self.version < version:
            place: Deferred[None] = Deferred()
            self.waiting.append((version, place))
            await place

    def wake(self, *, is_all: bool = False) -> None:
        """Let those go who waited for what is there now."""
        waiting, self.waiting = self.waiting, []
        for version, place in waiting:
            if is_all or (self.version is not None and self.version >= version):
                place.callback(None)
            else:
                self.waiting.append((version, place))

    def come(self, socket_id: str, member: Member) -> None:
        self.users[member.user_id] += socket_id not in self.here
        self.here[socket_id] = member

    def go(self, socket_id: str) -> None:
        member = self.here.pop(socket_id, None)
        if member is not None:
            self.users[member.user_id] -= 1
            if not self.users[member.user_id]:
                del self.users[member.user_id]


def read(snapshot: Sequence[Any]) -> tuple[int, dict[str, Member]]:
    """Version and members, in order of arrival."""
    version, *rest = snapshot
    rows = sorted(
        (int(arrival), user_id.decode(), info)
        for user_id, info, arrival in zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    )
    return int(version), {user_id: Member(user_id, info) for _, user_id, info in rows}
