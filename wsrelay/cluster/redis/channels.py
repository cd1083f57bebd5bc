"""The steps of ``channel.lua``, by name: what is asked of Redis about one channel."""

from __future__ import annotations

from importlib import resources
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from ...core.names import kind_of
from .names import Key, Names
from .script import Script

CHANNEL = Script(resources.files(__package__).joinpath("channel.lua").read_bytes(), b"v")
LISTING = Script(resources.files(__package__).joinpath("listing.lua").read_bytes())
NODES = Script(resources.files(__package__).joinpath("nodes.lua").read_bytes(), b"d")


#: Microseconds for which the list of occupied channels remembers that one was vacated.
KEPT = 3600 * 1_000_000


class Tells(Protocol):
    """Whether backends, or watchers, are to be told of who comes to a channel and leaves it."""

    def __call__(self, key: Key) -> bool: ...


class Steps:
    """Runs the steps in this node's name. Their replies are told in ``channel.lua``."""

    def __init__(self, link: Any, names: Names, tells: Tells, *, is_cluster: bool) -> None:
        self.link = link
        self.names = names
        self._tells = tells
        #: Whether keys of different channels are out of each other's reach.
        self._is_cluster = is_cluster
        #: This node as Redis knows it: another one after each absence, see ``leases``.
        self.node = ""

    def run(self, step: str, key: Key, *arguments: str | bytes | int) -> Deferred[Any]:
        """Fails with ``Unreachable``."""
        app_id, channel = key
        reply: Deferred[Any] = self.link.run(
            CHANNEL,
            self.names.channel(key),
            step,
            self.link.publishing,
            self.node,
            "1" if self._tells(key) else "",
            "" if self._is_cluster else self.names.occupied(app_id),
            channel if kind_of(channel).is_listed else "",
            *arguments,
        )
        return reply

    def tell_list(self, key: Key, edge: bytes) -> None:
        """Tell the list of occupied channels, where ``channel.lua`` could not."""
        app_id, channel = key
        name = self.names.occupied(app_id)
        sign, version = edge[:1], edge[1:]
        self.link.tell("EVALSHA", LISTING.sha, 1, name, channel, sign, version)

    async def occupied(self, app_id: str) -> list[str]:
        """The occupied channels. Raises ``Unreachable``."""
        name = self.names.occupied(app_id)
        if not self._is_cluster:
            return [each.decode() for each in await self.link.call("SMEMBERS", name)]
        found = await self.link.call("HGETALL", name)
        versions = dict(zip(found[::2], map(int, found[1::2]), strict=True))
        newest = max(map(abs, versions.values()), default=0)
        for channel, version in versions.items():
            if version < 0 and newest + version > KEPT:
                self.link.tell("HDEL", name, channel)
        return [channel.decode() for channel, version in versions.items() if version > 0]

    def register(self, key: Key) -> None:
        """Write down that this node has something in the channel, before it has."""
        self.link.tell("SADD", self.names.registered(self.node), self.names.registration(key))
        # A node that was taken for dead and swept is to be swept again for this.
        self.link.tell("ZADD", self.names.nodes, "NX", 0, self.node)

    def unregister(self, key: Key) -> None:
        self.link.tell("SREM", self.names.registered(self.node), self.names.registration(key))
