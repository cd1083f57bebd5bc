"""What cache channels remember, in Redis. It is filled with the publish: see ``bus``."""

from __future__ import annotations

from typing import Any

from ...core.cache import Cached
from .names import Names
from .wire import Unreachable, all_of


class RedisCache:
    """The port ``Cache``. While Redis is away nothing is remembered."""

    def __init__(self, link: Any, names: Names) -> None:
        self._link = link
        self._names = names

    async def get(self, app_id: str, channel: str) -> Cached | None:
        name = self._names.cached((app_id, channel))
        try:
            payload, left = await all_of(self._link.call(each, name) for each in ("GET", "PTTL"))
        except Unreachable:
            return None
        return Cached(payload, left / 1000) if payload is not None and left > 0 else None
