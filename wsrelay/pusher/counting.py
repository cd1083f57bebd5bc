"""Telling the subscribers of a channel how many they are (``subscription_count``).

At every change while they are few; above ``FEW`` of them at most once in ``PAUSE`` seconds, and
then with the newest count, because a hall of a thousand that fills would otherwise be told a
thousand numbers each.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

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

    def __init__(
        self,
        relay: Relay,
        call_later: CallLater,
        observer: Observer,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._relay = relay
        self._spawn = spawn
        self._has_ended = False
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
        self._spawn(self._tell(key))

    def _pause(self, key: tuple[str, str]) -> None:
        self._paused[key] = False
        self._timers[key] = self._call_later(PAUSE, lambda: self._resume(key))

    def _resume(self, key: tuple[str, str]) -> None:
        del self._timers[key]
        if self._paused.pop(key):
            self._spawn(self._tell(key))

    def end(self) -> None:
        """Nobody is told any more: the relay is stopping."""
        self._has_ended = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._paused.clear()

    async def _tell(self, key: tuple[str, str]) -> None:
        app_id, name = key
        told = None
        while not self._has_ended:
            count = await self._relay.subscription_count(app_id, name)
            if count == told:
                return
            if told is not None and key in self._paused:
                self._paused[key] = True
                return
            if count > FEW and key not in self._paused:
                self._pause(key)
            told = count
            self._relay.publish(Publication(app_id, name, codec.subscription_count(name, count)))
            self._observe(SubscriptionCounted(app_id, name, count))
            # Another node may have told a number since this one was asked for: look again, so
            # that whoever tells last has told the right one.
