"""How many are subscribed to which channel: each node tells its number when the turn is over."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ...core.hub import Hub
from ...core.ports import CallLater
from .channels import Steps
from .interest import Interests
from .names import Key
from .wire import Unreachable


class RedisCensus:
    """The port ``Census``. While Redis is away it tells what this node knows."""

    def __init__(
        self,
        steps: Steps,
        hub: Hub,
        interests: Interests,
        *,
        edge: Callable[[Key, Sequence[Any]], None],
        call_later: CallLater,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._steps = steps
        self._hub = hub
        self._interests = interests
        self._edge = edge
        self._call_later = call_later
        self._spawn = spawn
        self._changed: set[Key] = set()

    def changed(self, app_id: str, channel: str) -> None:
        if not self._changed:
            self._call_later(0, self.flush)
        self._changed.add((app_id, channel))

    def flush(self) -> None:
        """Tell every number that has changed. A channel that was forgotten tells it that way."""
        changed, self._changed = self._changed, set()
        for key in changed:
            if self._interests.of(key) is not None:
                self._spawn(self._count(key))

    async def _count(self, key: Key) -> None:
        try:
            edge = await self._steps.run("count", key, self._hub.subscription_count(*key))
        except Unreachable:
            return  # counted anew on return
        self._edge(key, edge)

    async def restore(self, keys: Sequence[Key]) -> None:
        for key in keys:
            await self._count(key)

    async def subscription_count(self, app_id: str, channel: str) -> int:
        self.flush()
        steps = self._steps
        try:
            counts = await steps.link.call("HVALS", steps.names.channel((app_id, channel)) + b"n")
        except Unreachable:
            return self._hub.subscription_count(app_id, channel)
        return sum(map(int, counts))

    async def occupied_channels(self, app_id: str, prefix: str) -> list[str]:
        self.flush()
        try:
            names = await self._steps.occupied(app_id)
        except Unreachable:
            return [
                channel.name
                for channel in self._hub.channels(app_id)
                if channel.kind.is_listed and channel.name.startswith(prefix)
            ]
        return sorted(name for name in names if name.startswith(prefix))
