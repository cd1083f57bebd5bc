"""Telling the subscribers of a channel how many they are (``subscription_count``).

At every change while they are few; above ``FEW`` of them at most once in ``PAUSE`` seconds, and
then with the newest count, because a hall of a thousand that fills would otherwise be told a
thousand numbers each.
"""

from __future__ import annotations

from ..core.apps import App
from ..core.channel import Channel
from ..core.notices import SubscriptionCounted
from ..core.ports import CallLater, Observer, Timer
from ..core.publication import Publication
from ..core.relay import Relay
from . import codec

FEW = 100
PAUSE = 5.0


class Counting:
    """Announces counts, for apps that ask for it and channels without presence."""

    def __init__(self, relay: Relay, call_later: CallLater, observer: Observer) -> None:
        self._relay = relay
        self._call_later = call_later
        self._observe = observer
        #: Channels that were told lately: whether their count has changed since.
        self._paused: dict[tuple[str, str], bool] = {}
        self._timers: dict[tuple[str, str], Timer] = {}

    def changed(self, app: App, channel: Channel) -> None:
        """Somebody came or went."""
        if not app.subscription_count or channel.kind.has_presence or not channel.kind.is_listed:
            return
        key = (app.id, channel.name)
        if key in self._paused:
            self._paused[key] = True
            return
        self._tell(*key)
        if self._relay.hub.subscription_count(*key) > FEW:
            self._pause(key)

    def _pause(self, key: tuple[str, str]) -> None:
        self._paused[key] = False
        self._timers[key] = self._call_later(PAUSE, lambda: self._resume(key))

    def _resume(self, key: tuple[str, str]) -> None:
        del self._timers[key]
        if self._paused.pop(key):
            self._tell(*key)
            if self._relay.hub.subscription_count(*key) > FEW:
                self._pause(key)

    def end(self) -> None:
        """Nobody is told any more: the relay is stopping."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._paused.clear()

    def _tell(self, app_id: str, name: str) -> None:
        count = self._relay.hub.subscription_count(app_id, name)
        self._relay.publish(Publication(app_id, name, codec.subscription_count(name, count)))
        self._observe(SubscriptionCounted(app_id, name, count))
