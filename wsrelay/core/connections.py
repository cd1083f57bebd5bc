"""The open connections of this node, by app."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .ports import Conversation


class Connections:
    """Every admitted connection, found by its app and its socket id."""

    def __init__(self) -> None:
        self._apps: dict[str, dict[str, Conversation]] = {}
        #: By app, how many connections the other nodes have; filled by the cluster.
        self.elsewhere: dict[str, int] = {}
        #: Is told of an app whose number of connections here has changed.
        self.on_change: Callable[[str], None] | None = None
        #: The server is stopping: nobody is admitted any more.
        self.is_closing = False
        #: The process has hardly any descriptors left: nobody is admitted for now.
        self.is_full = False

    def add(self, app_id: str, socket_id: str, conversation: Conversation) -> None:
        self._apps.setdefault(app_id, {})[socket_id] = conversation
        if self.on_change is not None:
            self.on_change(app_id)

    def remove(self, app_id: str, socket_id: str) -> None:
        """Forget a connection; one that was never added is nothing."""
        of_app = self._apps.get(app_id)
        if of_app is None or of_app.pop(socket_id, None) is None:
            return
        if not of_app:
            del self._apps[app_id]
        if self.on_change is not None:
            self.on_change(app_id)

    def get(self, app_id: str, socket_id: str) -> Conversation | None:
        return self._apps.get(app_id, {}).get(socket_id)

    def of(self, app_id: str) -> list[Conversation]:
        return list(self._apps.get(app_id, {}).values())

    def count(self, app_id: str) -> int:
        """On this node."""
        return len(self._apps.get(app_id, ()))

    def count_everywhere(self, app_id: str) -> int:
        """On all nodes, as far as they have told."""
        return self.count(app_id) + self.elsewhere.get(app_id, 0)

    def by_app(self) -> Iterator[tuple[str, int]]:
        """The apps that have connections, and how many."""
        return ((app_id, len(of_app)) for app_id, of_app in self._apps.items())

    def __len__(self) -> int:
        return sum(map(len, self._apps.values()))

    def __iter__(self) -> Iterator[Conversation]:
        for of_app in self._apps.values():
            yield from of_app.values()
