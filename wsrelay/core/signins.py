"""Signed-in users: what is sent to them, who watches them, and how an app ends them.

Both are ordinary channels with names that no client can subscribe to by itself: a user's own
one (``#server-to-user-ID``), and the one on which those who watch him hear of him.
"""

from __future__ import annotations

from collections.abc import Sequence

from .connections import Connections
from .errors import Code
from .frame import Frame
from .names import USER_CHANNEL_PREFIX, WATCHLIST_PREFIX
from .ports import Bus, Subscriber, Users, Wording
from .publication import Publication
from .relay import Relay


class SignIns:
    """Signs connections in and out, and tells watchers."""

    def __init__(
        self, relay: Relay, bus: Bus, users: Users, connections: Connections, wording: Wording
    ) -> None:
        self._relay = relay
        self._bus = bus
        self._users = users
        self._connections = connections
        self._wording = wording

    async def sign_in(
        self,
        app_id: str,
        user_id: str,
        watched: Sequence[str],
        subscriber: Subscriber,
        success: Frame,
    ) -> set[str]:
        """Sign a user's connection in; return which of the users he watches are online.

        ``success`` is said to the connection once what is published to the user reaches it.

        From now on the connection gets what is published to the user, and hears of every user
        it watches who comes online or goes offline.
        """
        for name in _channels(user_id, watched):
            await self._relay.subscribe(app_id, name, subscriber)
        subscriber.send(success)
        if await self._users.sign_in(app_id, user_id, subscriber.socket_id):
            self.come_online(app_id, user_id)
        return await self._users.online(app_id, watched)

    async def sign_out(
        self, app_id: str, user_id: str, watched: Sequence[str], socket_id: str
    ) -> None:
        """Undo ``sign_in`` for a connection that is gone."""
        try:
            for name in _channels(user_id, watched):
                channel = self._relay.hub.channel(app_id, name)
                if channel is not None:
                    await self._relay.unsubscribe(app_id, channel, socket_id)
        finally:
            await self._users.sign_out(app_id, user_id, socket_id)

    def come_online(self, app_id: str, user_id: str) -> None:
        """The first of a user's connections has signed in: his watchers hear of it."""
        self._tell_watchers(app_id, user_id, [user_id], [])

    def gone_offline(self, app_id: str, user_id: str) -> None:
        """The grace of a user who left is over: his watchers hear of it."""
        self._tell_watchers(app_id, user_id, [], [user_id])

    def _tell_watchers(
        self, app_id: str, user_id: str, online: list[str], offline: list[str]
    ) -> None:
        frame = self._wording.watchlist_events(online, offline)
        self._relay.publish(Publication(app_id, WATCHLIST_PREFIX + user_id, frame))

    async def terminate(self, app_id: str, user_id: str) -> None:
        """Close every connection that signed in as this user, on all nodes.

        Raises ``PublishRefused`` (503), and then none was closed.
        """
        await self._bus.terminate(app_id, user_id)
        self.terminate_here(app_id, user_id)

    def terminate_here(self, app_id: str, user_id: str) -> None:
        channel = self._relay.hub.channel(app_id, USER_CHANNEL_PREFIX + user_id)
        for socket_id in list(channel.subscribers) if channel is not None else ():
            conversation = self._connections.get(app_id, socket_id)
            if conversation is not None:
                conversation.close(Code.UNAUTHORIZED, "the app has ended this user's connections")


def _channels(user_id: str, watched: Sequence[str]) -> list[str]:
    return [USER_CHANNEL_PREFIX + user_id, *(WATCHLIST_PREFIX + name for name in watched)]
