"""The one road: everything that is subscribed, left or published passes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .anteroom import Anteroom
from .channel import Channel
from .frame import Frame
from .hub import Hub
from .names import kind_of
from .notices import Tally
from .ports import Bus, Cache, Census, Presence, Subscriber, Wording
from .publication import Publication
from .roster import Member


@dataclass(frozen=True, slots=True)
class Joined:
    """A subscription that stands: its channel, and for presence everybody who is in."""

    channel: Channel
    members: tuple[Member, ...] = ()
    #: On a cache channel, the event it remembers; ``None`` when it has none.
    cached: bytes | None = None
    #: What was said in the channel while it was asked for what it remembers. To be sent next.
    meanwhile: tuple[Frame, ...] = ()


class Relay:
    """What a relay does, told in terms of the hall: publish, subscribe, unsubscribe.

    Local first: a node's own subscribers are served in the same turn, and the bus carries the
    publication to other nodes. A channel that lives on one node never waits for anybody.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        bus: Bus,
        presence: Presence,
        census: Census,
        cache: Cache,
        wording: Wording,
        tally: Tally,
    ) -> None:
        self.hub = hub
        self.presence = presence
        self.census = census
        self.cache = cache
        self.tally = tally
        self._bus = bus
        self._wording = wording
        #: By app and channel, how many subscriptions are on their way: while one is, the
        #: channel stays wanted from the bus, whoever else leaves or fails meanwhile.
        self._joining: dict[tuple[str, str], int] = {}

    def publish(self, publication: Publication) -> None:
        """Deliver here, carry to other nodes if possible; nobody waits for the outcome."""
        is_early = self._bus.carry(publication)
        self.deliver(publication, is_early=is_early)

    async def publish_surely(
        self, publications: Sequence[Publication], cache_seconds: float
    ) -> None:
        """The same with a promise: either every one is on its way, or nothing was delivered.

        Cache channels remember their event for ``cache_seconds``. Raises ``PublishRefused``
        (503) when the other nodes can't be reached.
        """
        await self._bus.carry_surely(publications, cache_seconds)
        for publication in publications:
            self.deliver(publication)

    def deliver(self, publication: Publication, *, is_early: bool = False) -> None:
        """Hand a publication, of this node or of another, to this node's subscribers."""
        tally = self.tally
        receivers = self.hub.deliver(publication, is_early=is_early)
        tally.deliveries += receivers
        tally.fan_outs[receivers.bit_length()] += 1

    async def subscribe(
        self,
        app_id: str,
        name: str,
        subscriber: Subscriber,
        member: Member | None = None,
        most_members: int = 0,
    ) -> Joined:
        """Add a subscriber, and on a presence channel the member behind it.

        Everybody else hears of a new user at once; what is returned holds him already, so the
        caller must send it to him before it returns to the reactor. Raises ``RosterFull``.
        """
        wanted = (app_id, name)
        self._joining[wanted] = self._joining.get(wanted, 0) + 1
        arrival = None
        try:
            if self.hub.channel(app_id, name) is None:
                await self._bus.attend(app_id, name)
            if member is not None:
                arrival = await self.presence.join(
                    app_id, name, subscriber.socket_id, member, most_members
                )
            # No wait from here on: the snapshot and what is delivered next must join without gap.
            anteroom = Anteroom(subscriber) if kind_of(name).is_cached else None
            channel = self.hub.subscribe(app_id, name, anteroom or subscriber)
        finally:
            self._joining[wanted] -= 1
            if not self._joining[wanted]:
                del self._joining[wanted]
            self._forget_if_unwanted(app_id, name)
        self.census.changed(app_id, name)
        if member is not None and arrival is not None and arrival.is_new_user:
            self.publish(
                Publication(
                    app_id,
                    name,
                    self._wording.member_added(name, member),
                    excluded_socket_id=subscriber.socket_id,
                )
            )
        members = arrival.members if arrival is not None else ()
        if anteroom is None:
            return Joined(channel, members)
        return await self._remembering(app_id, Joined(channel, members), anteroom)

    async def _remembering(self, app_id: str, joined: Joined, anteroom: Anteroom) -> Joined:
        """Ask what a cache channel remembers, while what it says waits in the anteroom."""
        channel, subscriber = joined.channel, anteroom.subscriber
        try:
            cached = await self.cache.get(app_id, channel.name)
        except BaseException:
            await self.unsubscribe(app_id, channel, subscriber.socket_id)
            raise
        payload = cached.payload if cached is not None else None
        meanwhile = tuple(anteroom.frames)
        if any(frame.payload == payload for frame in meanwhile):
            payload = None  # it comes at its place in the row
        channel.subscribers[subscriber.socket_id] = subscriber
        return Joined(channel, joined.members, payload, meanwhile)

    async def unsubscribe(self, app_id: str, channel: Channel, socket_id: str) -> None:
        """Take a subscriber away; the others hear of a user whose last connection it was."""
        name = channel.name
        if channel.rules is not None:
            channel.rules.left(socket_id)
        if self.hub.unsubscribe(app_id, name, socket_id):
            self._forget_if_unwanted(app_id, name)
        try:
            if channel.kind.has_presence:
                departure = await self.presence.leave(app_id, name, socket_id)
                if departure.gone is not None:
                    frame = self._wording.member_removed(name, departure.gone)
                    self.publish(Publication(app_id, name, frame, gone=departure.gone))
        finally:
            self.census.changed(app_id, name)

    # -- asking ------------------------------------------------------------------------

    async def subscription_count(self, app_id: str, name: str) -> int:
        """How many connections are subscribed to a channel."""
        return await self.census.subscription_count(app_id, name)

    async def occupied_channels(self, app_id: str, prefix: str) -> list[str]:
        """The names of the channels that somebody is subscribed to."""
        return await self.census.occupied_channels(app_id, prefix)

    def _forget_if_unwanted(self, app_id: str, name: str) -> None:
        if self.hub.channel(app_id, name) is None and (app_id, name) not in self._joining:
            self._bus.forget(app_id, name)
