"""The channels of one connection: getting in, being told so, and getting out."""

from __future__ import annotations

from ..core.apps import App
from ..core.channel import Channel
from ..core.errors import SubscriptionRefused
from ..core.frame import Frame
from ..core.notices import CacheMissed
from ..core.ports import Door
from ..core.relay import Joined
from ..core.roster import RosterFull
from . import codec
from .messages import Subscribe, User
from .subscribing import proven_member, refuse_bad_name
from .surroundings import Surroundings


class Memberships:
    """What one connection is subscribed to, and as whom."""

    __slots__ = ("_around", "_channels", "_door", "_user_ids", "app", "has_authorized")

    def __init__(self, around: Surroundings, app: App, door: Door) -> None:
        self._around = around
        self.app = app
        self._door = door
        self._channels: dict[str, Channel] = {}
        #: The user behind each presence subscription.
        self._user_ids: dict[str, str] | None = None
        #: Whether a private or presence channel has let this connection in.
        self.has_authorized = False

    def channel(self, name: str) -> Channel | None:
        return self._channels.get(name)

    def user_id(self, name: str) -> str | None:
        """As whom this connection is in a presence channel."""
        return self._user_ids.get(name) if self._user_ids is not None else None

    async def subscribe(self, asked: Subscribe, user: User | None) -> None:
        """Get in, or be told why not; the connection stays open either way.

        ``user`` is who the connection has signed in as.
        """
        try:
            refuse_bad_name(self.app, asked.channel)
            known = self._channels.get(asked.channel)
            if known is not None:
                await self._confirm(known)
            else:
                await self._join(asked, user)
        except SubscriptionRefused as refused:
            self._tell_refused(refused)
        except Exception:
            self._tell_refused(
                SubscriptionRefused(asked.channel, 500, "ServerError", "internal error; try again")
            )
            raise

    async def _join(self, asked: Subscribe, user: User | None) -> None:
        app, name, around = self.app, asked.channel, self._around
        if len(self._channels) >= app.max_subscriptions:
            raise SubscriptionRefused(
                name,
                403,
                "LimitReached",
                f"this connection has {app.max_subscriptions} subscriptions, its limit "
                "(max_subscriptions)",
            )
        member = proven_member(app, self._door.socket_id, asked, user, around.observer)
        try:
            joined = await around.relay.subscribe(
                app.id, name, self._door, member, app.max_presence_members
            )
        except RosterFull as full:
            raise SubscriptionRefused(
                name,
                403,
                "LimitReached",
                f"the channel has {full.most} members, its limit (max_presence_members)",
            ) from full
        channel = self._channels[name] = joined.channel
        self.has_authorized |= channel.kind.needs_auth
        if member is None:
            self._door.send(codec.subscription_succeeded(name))
        else:
            if self._user_ids is None:
                self._user_ids = {}
            self._user_ids[name] = member.user_id
            self._door.send(codec.presence_subscription_succeeded(name, joined.members))
        if channel.kind.is_cached:
            self._replay(channel, joined)
        if channel.rules is not None:
            channel.rules.joined(self._door, member.user_id if member is not None else None)
        around.counting.changed(app, channel)

    def _replay(self, channel: Channel, joined: Joined) -> None:
        """What a cache channel remembers comes first, or word that it remembers nothing."""
        if joined.cached is not None:
            self._door.send(Frame(joined.cached))
        elif not joined.meanwhile:
            self._door.send(codec.cache_miss(channel.name))
            self._around.observer(CacheMissed(self.app.id, channel.name))
        for frame in joined.meanwhile:
            self._door.send(frame)

    async def _confirm(self, channel: Channel) -> None:
        """A second subscribe is answered like the first; nobody else hears of it."""
        if channel.kind.has_presence:
            members = await self._around.relay.presence.members(self.app.id, channel.name)
            self._door.send(codec.presence_subscription_succeeded(channel.name, members))
        else:
            self._door.send(codec.subscription_succeeded(channel.name))

    def _tell_refused(self, refused: SubscriptionRefused) -> None:
        dialect = self.app.error_dialect
        if dialect != "pusher":
            self._door.send(
                codec.subscription_error(
                    refused.channel, refused.status, refused.kind, refused.message
                )
            )
        if dialect != "soketi":
            self._door.send(codec.error(None, refused.message))

    async def unsubscribe(self, name: str) -> None:
        """Leave a channel; leaving one that was never joined is no error."""
        channel = self._channels.pop(name, None)
        if channel is None:
            return
        if self._user_ids is not None:
            self._user_ids.pop(name, None)
        await self._leave(channel)

    def leave_all(self) -> None:
        """Leave every channel, none waiting for another: what goes wrong in one stays there."""
        while self._channels:
            _, channel = self._channels.popitem()
            self._around.spawn(self._leave(channel))

    async def _leave(self, channel: Channel) -> None:
        if channel.kind.is_for_one_user:  # held by the sign-in, and left when that ends
            return
        await self._around.relay.unsubscribe(self.app.id, channel, self._door.socket_id)
        self._around.counting.changed(self.app, channel)
