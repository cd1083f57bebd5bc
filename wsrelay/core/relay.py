"""The one road: everything that is subscribed, left or published passes here."""

from __future__ import annotations

from dataclasses import dataclass

from .channel import Channel
from .hub import Hub
from .notices import (
    ChannelOccupied,
    ChannelVacated,
    MemberAdded,
    MemberRemoved,
    Tally,
)
from .ports import Bus, Observer, Presence, Subscriber, Wording
from .publication import Publication
from .roster import Member


@dataclass(frozen=True, slots=True)
class Joined:
    """A subscription that stands: its channel, and for presence everybody who is in."""

    channel: Channel
    members: tuple[Member, ...] = ()


class Relay:
    """What a relay does, told in terms of the hall: publish, subscribe, unsubscribe.

    Local first: a node's own subscribers are served in the same turn, and the bus carries the
    publication to other nodes. A channel that lives on one node never waits for anybody.
    """

    def __init__(
        self,
        hub: Hub,
        bus: Bus,
        presence: Presence,
        wording: Wording,
        observer: Observer,
        tally: Tally,
    ) -> None:
        self.hub = hub
        self.presence = presence
        self.tally = tally
        self._bus = bus
        self._wording = wording
        self._observe = observer

    def publish(self, publication: Publication) -> None:
        """Deliver here, carry to other nodes if possible; nobody waits for the outcome."""
        self._bus.carry(publication)
        self._deliver(publication)

    async def publish_surely(self, *publications: Publication) -> None:
        """The same with a promise: either every one is on its way, or nothing was delivered.

        Raises ``PublishRefused`` (503) when the other nodes can't be reached.
        """
        for publication in publications:
            await self._bus.carry_surely(publication)
        for publication in publications:
            self._deliver(publication)

    def _deliver(self, publication: Publication) -> None:
        tally = self.tally
        tally.publications += 1
        tally.deliveries += self.hub.deliver(publication)

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
        if self.hub.channel(app_id, name) is None:
            await self._bus.attend(app_id, name)
        arrival = None
        if member is not None:
            try:
                arrival = await self.presence.join(
                    app_id, name, subscriber.socket_id, member, most_members
                )
            except BaseException:
                if self.hub.channel(app_id, name) is None:
                    self._bus.forget(app_id, name)
                raise
        channel, is_first = self.hub.subscribe(app_id, name, subscriber)
        if is_first:
            self._observe(ChannelOccupied(app_id, name))
        if arrival is None or member is None:
            return Joined(channel)
        if arrival.is_new_user:
            self._observe(MemberAdded(app_id, name, member.user_id))
            self.publish(
                Publication(
                    app_id,
                    name,
                    self._wording.member_added(name, member),
                    excluded_socket_id=subscriber.socket_id,
                )
            )
        return Joined(channel, arrival.members)

    async def unsubscribe(self, app_id: str, channel: Channel, socket_id: str) -> None:
        """Take a subscriber away; the others hear of a user whose last connection it was."""
        name = channel.name
        is_last = self.hub.unsubscribe(app_id, name, socket_id)
        if is_last:
            self._bus.forget(app_id, name)
        if channel.kind.has_presence:
            departure = await self.presence.leave(app_id, name, socket_id)
            if departure.gone is not None:
                self._observe(MemberRemoved(app_id, name, departure.gone))
                self.publish(
                    Publication(app_id, name, self._wording.member_removed(name, departure.gone))
                )
        if is_last:
            self._observe(ChannelVacated(app_id, name))
