"""Who is in a channel by way of this node, by the id that others know him by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..core.ports import Subscriber

_NOBODY: Mapping[str, Subscriber] = {}


class Present:
    """The members: users with one or more connections, on presence channels; else connections.

    A member's *name* is his user id, or without users his connection's socket id.
    """

    def __init__(self) -> None:
        self._connections: dict[str, dict[str, Subscriber]] = {}
        self._names: dict[str, str] = {}

    def join(self, subscriber: Subscriber, user_id: str | None) -> str:
        """Add a connection; return the member's name."""
        name = user_id if user_id is not None else subscriber.socket_id
        self._connections.setdefault(name, {})[subscriber.socket_id] = subscriber
        self._names[subscriber.socket_id] = name
        return name

    def leave(self, socket_id: str) -> str | None:
        """Take a connection away; return the member's name if it was his last one."""
        name = self._names.pop(socket_id, None)
        if name is None:
            return None
        connections = self._connections[name]
        del connections[socket_id]
        if connections:
            return None
        del self._connections[name]
        return name

    def connections(self, name: str) -> Mapping[str, Subscriber]:
        """A member's connections by socket id; of a member who is here the same mapping always."""
        return self._connections.get(name, _NOBODY)

    def addressed(self, to: str) -> Mapping[str, Subscriber]:
        """Whom a user id or a socket id means: all connections of the user, or the one."""
        if to in self._connections:
            return self._connections[to]
        name = self._names.get(to)
        return {to: self._connections[name][to]} if name is not None else _NOBODY

    def __contains__(self, name: object) -> bool:
        """Whether a member is here."""
        return name in self._connections

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Socket id and member's name of each connection."""
        return iter(self._names.items())

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._names)
