"""Who receives: one channel's subscribers on this node, and the loop that reaches them."""

from __future__ import annotations

from .frame import Frame
from .names import Kind, kind_of
from .ports import Rules, Subscriber


class Channel:
    """One channel of one app, as far as this node's clients are concerned."""

    __slots__ = ("kind", "name", "rules", "subscribers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind: Kind = kind_of(name)
        self.subscribers: dict[str, Subscriber] = {}
        #: What it does beyond Pusher; ``None`` on all channels for which nothing is configured.
        self.rules: Rules | None = None

    def fan_out(self, frame: Frame, excluded_socket_id: str | None = None) -> int:
        """Send one frame to every subscriber but the excluded one; return how many got it.

        A plain loop: ``send`` only queues, so nothing here can wait, fail or change the set.
        """
        subscribers = self.subscribers
        excluded = subscribers.get(excluded_socket_id) if excluded_socket_id else None
        if excluded is None:
            for subscriber in subscribers.values():
                subscriber.send(frame)
            return len(subscribers)
        for subscriber in subscribers.values():
            if subscriber is not excluded:
                subscriber.send(frame)
        return len(subscribers) - 1
