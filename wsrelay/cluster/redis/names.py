"""Which keys and channels exist in Redis. What belongs to one channel of ours has one hash slot."""

from __future__ import annotations

#: App and channel.
Key = tuple[str, str]


class Names:
    """All names begin with the prefix, so that several relays may share one Redis."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.nodes = f"{{{prefix}:nodes}}"
        #: Redis' channel on which nodes speak to all nodes.
        self.all = f"{prefix}:all".encode()

    def channel(self, key: Key) -> bytes:
        """Redis' channel for one of ours, and the start of its keys.

        Ours come first: their names hold neither braces nor colons, as an app's id may, and what
        stands in the first braces decides the slot.
        """
        return f"{self._prefix}:{{{key[1]}:{key[0]}}}".encode()

    def key_of(self, registered: bytes) -> Key:
        """Undo ``registration``."""
        app_id, _, channel = registered.decode().rpartition(":")
        return app_id, channel

    def registration(self, key: Key) -> str:
        """How a node writes down that it has something in a channel."""
        return f"{key[0]}:{key[1]}"

    def registered(self, node: str) -> str:
        """The set of a node's registrations: where it is to be swept from."""
        return f"{self._prefix}:node:{node}"

    def occupied(self, app_id: str) -> str:
        return f"{self._prefix}:occupied:{app_id}"

    def connections(self, app_id: str) -> str:
        return f"{self._prefix}:connections:{app_id}"

    def cached(self, key: Key) -> str:
        return f"{self._prefix}:{{{key[1]}:{key[0]}}}c"
