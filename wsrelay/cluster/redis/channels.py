"""The steps of ``channel.lua``, by name: what is asked of Redis about one channel."""

from __future__ import annotations

from importlib import resources
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from ...core.names import kind_of
from .link import Script
from .names import Key, Names

CHANNEL = Script(resources.files(__package__).joinpath("channel.lua").read_bytes())
NODES = Script(resources.files(__package__).joinpath("nodes.lua").read_bytes())


class Tells(Protocol):
    """Whether backends, or watchers, are to be told of who comes to a channel and leaves it."""

    def __call__(self, key: Key) -> bool: ...


class Steps:
    """Runs the steps in this node's name. Their replies are told in ``channel.lua``."""

    def __init__(self, link: Any, names: Names, tells: Tells) -> None:
        self.link = link
        self.names = names
        self._tells = tells
        #: This node as Redis knows it: another one after each absence, see ``leases``.
        self.node = ""

    def run(self, step: str, key: Key, *arguments: str | bytes | int) -> Deferred[Any]:
        """Fails with ``Unreachable``."""
        app_id, channel = key
        is_listed = kind_of(channel).is_listed
        reply: Deferred[Any] = self.link.run(
            CHANNEL,
            self.names.channel(key),
            step,
            "PUBLISH",
            self.node,
            "1" if self._tells(key) else "",
            self.names.occupied(app_id) if is_listed else "",
            channel,
            *arguments,
        )
        return reply

    def register(self, key: Key) -> None:
        """Write down that this node has something in the channel, before it has."""
        self.link.tell("SADD", self.names.registered(self.node), self.names.registration(key))
        # A node that was taken for dead and swept is to be swept again for this.
        self.link.tell("ZADD", self.names.nodes, "NX", 0, self.node)

    def unregister(self, key: Key) -> None:
        self.link.tell("SREM", self.names.registered(self.node), self.names.registration(key))
