"""Who is in a channel by way of other nodes, as those have said."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.remarks import Came


class Elsewhere:
    """Other nodes' connections, by the *origin* of the process that has them.

    A process goes by a new node's name after each absence. What it tells of itself then replaces
    what it told before, so the end of a former name is no end of it.
    """

    def __init__(self) -> None:
        #: By socket id: the origin and the member's name.
        self._connections: dict[str, tuple[str, str]] = {}
        self._members: dict[str, set[str]] = {}
        self._origins: dict[str, set[str]] = {}
        #: The name by which an origin has told of itself.
        self._nodes: dict[str, str] = {}
        #: Of an origin that is telling in several parts, what it has not told yet.
        self._untold: dict[str, set[str]] = {}
        #: Origins that have not been heard of since all were parted.
        self._silent: set[str] = set()

    def __contains__(self, to: object) -> bool:
        """Whether a user id or a socket id is there."""
        return to in self._members or to in self._connections

    def came(self, origin: str, socket_id: str, user_id: str | None) -> None:
        if socket_id not in self._connections:
            name = user_id if user_id is not None else socket_id
            self._connections[socket_id] = origin, name
            self._members.setdefault(name, set()).add(socket_id)
            self._origins.setdefault(origin, set()).add(socket_id)

    def went(self, socket_id: str) -> str | None:
        """A connection is gone; the member's name if he has no other one there."""
        origin, name = self._connections.pop(socket_id, ("", ""))
        if not origin:
            return None
        _discard(self._origins, origin, socket_id)
        _discard(self._members, name, socket_id)
        return name if name not in self._members else None

    def told(
        self, origin: str, node: str, connections: Iterable[Came], *, is_first: bool, is_last: bool
    ) -> list[str]:
        """An origin tells all that it has, or a part of it; the names of those who are gone."""
        self._nodes[origin] = node
        self._silent.discard(origin)
        if is_first:
            self._untold[origin] = set(self._origins.get(origin, ()))
        for each in connections:
            self.came(origin, each.socket_id, each.user_id)
            self._untold.get(origin, set()).discard(each.socket_id)
        return self._all_went(self._untold.pop(origin, ())) if is_last else []

    def died(self, origin: str, node: str) -> list[str]:
        """A node is no more; the names of those who are gone with it."""
        if self._nodes.get(origin, node) != node:
            return []  # the process goes on by another name
        self._nodes.pop(origin, None)
        self._silent.discard(origin)
        return self._all_went(self._origins.get(origin, ()))

    def parted(self) -> None:
        self._silent = set(self._origins)

    def forget_silent(self) -> list[str]:
        """The names of those who are gone with nodes that were not heard of again."""
        return [
            name
            for origin in tuple(self._silent)
            for name in self.died(origin, self._nodes.get(origin, ""))
        ]

    def _all_went(self, socket_ids: Iterable[str]) -> list[str]:
        gone = [self.went(socket_id) for socket_id in tuple(socket_ids)]
        return [name for name in gone if name is not None]


def _discard(sets: dict[str, set[str]], key: str, value: str) -> None:
    sets[key].discard(value)
    if not sets[key]:
        del sets[key]
