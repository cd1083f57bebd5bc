"""Which users are signed in, and when one comes online or goes offline for those who watch.

A user is online with the first of his connections that signs in. He goes offline when the last
one is gone and stays gone for ``GRACE`` seconds, so that turning a page does not flicker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .ports import CallLater, Timer

#: Seconds between a user's last connection and his watchers hearing that he is offline.
GRACE = 3.0


class SignedIn:
    """The signed-in users of this node, by app."""

    def __init__(self, call_later: CallLater, gone_offline: Callable[[str, str], None]) -> None:
        self._call_later = call_later
        self._gone_offline = gone_offline
        self._sockets: dict[tuple[str, str], set[str]] = {}
        self._leaving: dict[tuple[str, str], Timer] = {}
        self._has_ended = False

    async def sign_in(self, app_id: str, user_id: str, socket_id: str) -> bool:
        """Add a connection; return whether the user was offline to his watchers until now."""
        user = (app_id, user_id)
        sockets = self._sockets.setdefault(user, set())
        was_offline = not sockets
        sockets.add(socket_id)
        timer = self._leaving.pop(user, None)
        if timer is not None:
            timer.cancel()
            return False
        return was_offline

    async def sign_out(self, app_id: str, user_id: str, socket_id: str) -> None:
        """Take a connection away; after the last one, and the grace, the user is offline."""
        user = (app_id, user_id)
        sockets = self._sockets.get(user)
        if sockets is None or socket_id not in sockets:
            return
        sockets.discard(socket_id)
        if not sockets:
            del self._sockets[user]
        if not sockets and not self._has_ended:
            self._leaving[user] = self._call_later(GRACE, lambda: self._leave(user))

    def _leave(self, user: tuple[str, str]) -> None:
        del self._leaving[user]
        self._gone_offline(*user)

    def end(self) -> None:
        """Nobody is told any more: the relay is stopping."""
        self._has_ended = True
        for timer in self._leaving.values():
            timer.cancel()
        self._leaving.clear()

    async def online(self, app_id: str, user_ids: Iterable[str]) -> set[str]:
        """Those of the users who are online to their watchers."""
        return {
            user_id
            for user_id in user_ids
            if (app_id, user_id) in self._sockets or (app_id, user_id) in self._leaving
        }

    def __len__(self) -> int:
        return len(self._sockets)
