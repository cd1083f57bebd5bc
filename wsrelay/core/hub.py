"""This node's channels: who is subscribed here, and when a channel is first and last needed."""

from __future__ import annotations

from collections.abc import Iterator

from .channel import Channel
from .names import KINDS, PUBLIC
from .ports import RulesOf, Subscriber
from .publication import Publication


class Hub:
    """All channels that have a subscriber on this node, by app.

    A channel exists exactly as long as somebody is subscribed to it, so nothing here outlives
    its use. Only the hub knows the two edges, first in and last out; its callers tell the bus.
    """

    def __init__(self, rules_of: RulesOf | None = None) -> None:
        self._rules_of = rules_of
        self._apps: dict[str, dict[str, Channel]] = {}
        #: How many channels of each kind there are, by the prefix of their names.
        self.of_kind = {kind.prefix: 0 for kind in (PUBLIC, *KINDS)}

    def subscribe(self, app_id: str, name: str, subscriber: Subscriber) -> Channel:
        """Add a subscriber; return the channel."""
        channels = self._apps.setdefault(app_id, {})
        channel = channels.get(name)
        if channel is None:
            channel = channels[name] = Channel(name)
            self.of_kind[channel.kind.prefix] += 1
            if self._rules_of is not None:
                channel.rules = self._rules_of(app_id, channel)
        channel.subscribers[subscriber.socket_id] = subscriber
        return channel

    def unsubscribe(self, app_id: str, name: str, socket_id: str) -> bool:
        """Take a subscriber away; return whether he was the channel's last one here."""
        channels = self._apps.get(app_id, {})
        channel = channels.get(name)
        if channel is None or channel.subscribers.pop(socket_id, None) is None:
            return False
        if channel.subscribers:
            return False
        del channels[name]
        self.of_kind[channel.kind.prefix] -= 1
        if not channels:
            del self._apps[app_id]
        return True

    def deliver(self, publication: Publication, *, is_early: bool = False) -> int:
        """Hand a publication to this node's subscribers; return how many there were."""
        channels = self._apps.get(publication.app_id)
        if channels is None:
            return 0
        channel = channels.get(publication.channel)
        if channel is None:
            return 0
        if channel.rules is not None:
            return channel.rules.deliver(publication, is_early=is_early)
        return channel.fan_out(publication.frame, publication.excluded_socket_id)

    def judge(self, publication: Publication) -> None:
        """One that was delivered early has its place among what all nodes hear."""
        channel = self.channel(publication.app_id, publication.channel)
        if channel is not None and channel.rules is not None:
            channel.rules.judge(publication)

    def channel(self, app_id: str, name: str) -> Channel | None:
        """The channel, if it has a subscriber on this node."""
        return self._apps.get(app_id, {}).get(name)

    def subscription_count(self, app_id: str, name: str) -> int:
        channel = self.channel(app_id, name)
        return len(channel.subscribers) if channel else 0

    def channels(self, app_id: str) -> Iterator[Channel]:
        """The channels of one app that have a subscriber on this node."""
        return iter(self._apps.get(app_id, {}).values())

    def by_app(self) -> Iterator[tuple[str, int]]:
        """The apps that have channels, and how many."""
        return ((app_id, len(channels)) for app_id, channels in self._apps.items())

    def __len__(self) -> int:
        """How many channels there are, over all apps."""
        return sum(map(len, self._apps.values()))
