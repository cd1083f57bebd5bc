"""One node alone: nothing to carry, and the rosters are the whole truth about presence."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.publication import Publication
from ..core.roster import Arrival, Departure, Member, Roster


class LocalBus:
    """Carries nothing, because there is nobody else."""

    def carry(self, publication: Publication) -> None:
        pass

    async def carry_surely(self, publication: Publication) -> None:
        pass

    async def attend(self, app_id: str, channel: str) -> None:
        pass

    def forget(self, app_id: str, channel: str) -> None:
        pass


class LocalPresence:
    """A roster for each presence channel that somebody is in."""

    def __init__(self) -> None:
        self._rosters: dict[tuple[str, str], Roster] = {}

    async def join(
        self, app_id: str, channel: str, socket_id: str, member: Member, most: int
    ) -> Arrival:
        """Raises ``RosterFull`` past ``most`` distinct users."""
        roster = self._rosters.get((app_id, channel)) or Roster()
        arrival = roster.join(socket_id, member, most)
        self._rosters[app_id, channel] = roster
        return arrival

    async def leave(self, app_id: str, channel: str, socket_id: str) -> Departure:
        roster = self._rosters.get((app_id, channel))
        if roster is None:
            return Departure(gone=None)
        departure = roster.leave(socket_id)
        if not len(roster):
            del self._rosters[app_id, channel]
        return departure

    async def members(self, app_id: str, channel: str) -> Sequence[Member]:
        roster = self._rosters.get((app_id, channel))
        return roster.members() if roster is not None else ()

    async def user_count(self, app_id: str, channel: str) -> int:
        roster = self._rosters.get((app_id, channel))
        return len(roster) if roster is not None else 0
