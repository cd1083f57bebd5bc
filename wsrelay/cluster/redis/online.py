"""Which users are signed in, over all nodes: those whose own channel somebody is subscribed to.

Every connection that signs in is subscribed to its user's channel, so the census knows. That a
user has come online, or has gone and stayed so, is an edge of that channel: see ``edges``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...core.names import USER_CHANNEL_PREFIX
from .channels import Steps
from .wire import Unreachable, all_of


class RedisUsers:
    """The port ``Users``."""

    def __init__(
        self, steps: Steps, flush: Callable[[], None], is_here: Callable[[str, str], bool]
    ) -> None:
        """``flush`` tells Redis the newest counts; ``is_here`` knows of this node's channels."""
        self._steps = steps
        self._flush = flush
        self._is_here = is_here

    async def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool:
        return False  # the edge tells the watchers

    async def sign_out(self, app_id: str, user_id: str, socket_id: str) -> None:
        pass

    async def online(self, app_id: str, user_ids: Iterable[str]) -> set[str]:
        """While Redis is away: those who are signed in on this node."""
        self._flush()
        user_ids = list(user_ids)
        names = self._steps.names
        try:
            answers = await all_of(
                self._steps.link.call(
                    "HEXISTS", names.channel((app_id, USER_CHANNEL_PREFIX + user_id)) + b"t", ""
                )
                for user_id in user_ids
            )
        except Unreachable:
            answers = [self._is_here(app_id, USER_CHANNEL_PREFIX + each) for each in user_ids]
        return {user_id for user_id, answer in zip(user_ids, answers, strict=True) if answer}
