"""One node alone: nothing to carry, and what it knows itself is the whole truth."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.cache import Memory
from ..core.hub import Hub
from ..core.names import kind_of
from ..core.notices import ChannelOccupied, ChannelVacated, MemberAdded, MemberRemoved
from ..core.ports import Observer
from ..core.publication import Publication
from ..core.roster import Arrival, Departure, Member, Roster


class LocalBus:
    """Carries nothing, because there is nobody else; remembers what cache channels are told."""

    def __init__(self, cache: Memory) -> None:
        self._cache = cache

    def carry(self, publication: Publication) -> bool:
        return False

    async def carry_surely(self, publications: Sequence[Publication], cache_seconds: float) -> None:
        for publication in publications:
            if kind_of(publication.channel).is_cached:
                payload = publication.frame.payload
                self._cache.put(publication.app_id, publication.channel, payload, cache_seconds)

    async def attend(self, app_id: str, channel: str) -> None:
        pass

    def forget(self, app_id: str, channel: str) -> None:
        pass

    async def terminate(self, app_id: str, user_id: str) -> None:
        pass


class LocalCensus:
    """What the hub knows, and the edges between nobody and somebody."""

    def __init__(self, hub: Hub, observer: Observer) -> None:
        self._hub = hub
        self._observe = observer
        self._occupied: set[tuple[str, str]] = set()

    def changed(self, app_id: str, channel: str) -> None:
        here = self._hub.channel(app_id, channel)
        known = (app_id, channel) in self._occupied
        if here is not None and not known and here.kind.is_listed:
            self.occupied(app_id, channel)
        elif here is None and known:
            self._occupied.discard((app_id, channel))
            self._observe(ChannelVacated(app_id, channel))

    def occupied(self, app_id: str, channel: str) -> None:
        """Somebody is in a channel that nobody was in."""
        self._occupied.add((app_id, channel))
        self._observe(ChannelOccupied(app_id, channel))

    async def subscription_count(self, app_id: str, channel: str) -> int:
        return self._hub.subscription_count(app_id, channel)

    async def occupied_channels(self, app_id: str, prefix: str) -> list[str]:
        return [
            channel.name
            for channel in self._hub.channels(app_id)
            if channel.kind.is_listed and channel.name.startswith(prefix)
        ]


class LocalPresence:
    """A roster for each presence channel that somebody is in.

    Its first member is told as such only after ``census`` has told of the channel, as webhooks
    expect it.
    """

    def __init__(self, observer: Observer, census: LocalCensus) -> None:
        self._observe = observer
        self._census = census
        self._rosters: dict[tuple[str, str], Roster] = {}

    async def join(
        self, app_id: str, channel: str, socket_id: str, member: Member, most: int
    ) -> Arrival:
        """Raises ``RosterFull`` past ``most`` distinct users."""
        roster = self._rosters.get((app_id, channel)) or Roster()
        arrival = roster.join(socket_id, member, most)
        if (app_id, channel) not in self._rosters:
            self._rosters[app_id, channel] = roster
            self._census.occupied(app_id, channel)
        if arrival.is_new_user:
            self._observe(MemberAdded(app_id, channel, member.user_id))
        return arrival

    async def leave(self, app_id: str, channel: str, socket_id: str) -> Departure:
        roster = self._rosters.get((app_id, channel))
        if roster is None:
            return Departure(gone=None)
        departure = roster.leave(socket_id)
        if not len(roster):
            del self._rosters[app_id, channel]
        if departure.gone is not None:
            self._observe(MemberRemoved(app_id, channel, departure.gone))
        return departure

    async def members(self, app_id: str, channel: str) -> Sequence[Member]:
        roster = self._rosters.get((app_id, channel))
        return roster.members() if roster is not None else ()

    async def user_count(self, app_id: str, channel: str) -> int:
        roster = self._rosters.get((app_id, channel))
        return len(roster) if roster is not None else 0
