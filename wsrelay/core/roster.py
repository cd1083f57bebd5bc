"""Who is in one presence channel: users, each with one or more connections.

A *user* joins with the first of his connections and leaves with the last one, however many
tabs he opens in between (protocol reference, presence channels).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A user of a presence channel. ``user_info`` is raw JSON text, ``null`` when absent."""

    user_id: str
    user_info: bytes = b"null"


@dataclass(frozen=True, slots=True)
class Arrival:
    """The outcome of a join: everybody who is in now, and whether this user was new."""

    members: tuple[Member, ...]
    is_new_user: bool


@dataclass(frozen=True, slots=True)
class Departure:
    """The outcome of a leave: ``gone`` is the user whose last connection it was."""

    gone: str | None


class RosterFull(Exception):
    """The channel has as many distinct users as it may have; ``most`` says how many."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class Roster:
    """The members of one presence channel.

    When one user's connections bring different ``user_info``, the first one's counts until it
    leaves, then that of the oldest remaining; no event is sent for the change.
    """

    __slots__ = ("_user_of", "_users")

    def __init__(self) -> None:
        #: user id -> socket id -> what that connection brought; both in order of arrival.
        self._users: dict[str, dict[str, Member]] = {}
        self._user_of: dict[str, str] = {}

    def join(self, socket_id: str, member: Member, most: int) -> Arrival:
        """Add a connection. A user who is in already is always admitted.

        Joining twice with one connection changes nothing: its first ``channel_data`` counts.
        """
        if socket_id in self._user_of:
            return Arrival(self.members(), is_new_user=False)
        connections = self._users.get(member.user_id)
        is_new_user = connections is None
        if connections is None:
            if len(self._users) >= most:
                raise RosterFull(most)
            connections = self._users[member.user_id] = {}
        connections[socket_id] = member
        self._user_of[socket_id] = member.user_id
        return Arrival(self.members(), is_new_user)

    def leave(self, socket_id: str) -> Departure:
        """Take a connection away; leaving without having joined is nothing."""
        user_id = self._user_of.pop(socket_id, None)
        if user_id is None:
            return Departure(gone=None)
        connections = self._users[user_id]
        del connections[socket_id]
        if connections:
            return Departure(gone=None)
        del self._users[user_id]
        return Departure(gone=user_id)

    def members(self) -> tuple[Member, ...]:
        """One member a user, in order of arrival."""
        return tuple(next(iter(connections.values())) for connections in self._users.values())

    def __len__(self) -> int:
        """The number of distinct users."""
        return len(self._users)
