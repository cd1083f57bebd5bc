"""Who is in which presence channel: Redis decides, and every node that attends has the picture.

Joins and leaves are decided and announced in one step (``channel.lua``), so every node hears of
them in one order. A node that has somebody in a channel keeps the picture of it: a snapshot, and
what was announced since. Who joins is let in when the picture has come as far as his own join, so
that his snapshot and what he hears next fit without a gap.

While Redis is away this node's own joins and leaves are shown to its own clients at once; on
return all are told to Redis anew, and what changed meanwhile is announced. Whoever another node
had is kept in the picture until that node has had time to return as well.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ...core.ports import CallLater, Timer, Wording
from ...core.publication import Publication
from ...core.roster import Arrival, Departure, Member, RosterFull
from .channels import Steps
from .edges import GRACE
from .envelope import Changed, Joined, Left
from .names import Key
from .picture import Picture, read
from .wire import Unreachable

#: Times that a snapshot is asked for again because something was announced meanwhile.
MOST_COMPARISONS = 10


class RedisPresence:
    """The port ``Presence``."""

    def __init__(
        self,
        steps: Steps,
        *,
        deliver: Callable[[Publication], None],
        wording: Wording,
        joined: Callable[[Key, str], None],
        parted: Callable[[Key, Sequence[bytes]], None],
        flush: Callable[[], None],
        call_later: CallLater,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._steps = steps
        self._link = steps.link
        self._deliver = deliver
        self._wording = wording
        self._joined = joined
        self._parted = parted
        self._flush = flush
        self._call_later = call_later
        self._spawn = spawn
        self._pictures: dict[Key, Picture] = {}
        self._leaving: set[Timer] = set()
        #: The relay is stopping: its clients are given time to come back elsewhere.
        self.is_departing = False

    # -- coming and going ------------------------------------------------------------------

    async def join(
        self, app_id: str, channel: str, socket_id: str, member: Member, most: int
    ) -> Arrival:
        key = (app_id, channel)
        picture = self._pictures.setdefault(key, Picture())
        picture.come(socket_id, member)
        try:
            await self._join(key, picture, socket_id, member, most)
        except Unreachable:
            if member.user_id not in picture.members and len(picture.members) >= most:
                self._drop(key, picture, socket_id)
                raise RosterFull(most) from None
            self._add(key, picture, member, socket_id)
        except BaseException:
            self._drop(key, picture, socket_id)
            raise
        return Arrival(tuple(picture.members.values()), is_new_user=False)

    async def _join(
        self, key: Key, picture: Picture, socket_id: str, member: Member, most: int
    ) -> None:
        """Raises ``RosterFull`` and ``Unreachable``."""
        user_id, info = member.user_id, member.user_info
        must_see = picture.version is None
        reply = await self._steps.run(
            "join", key, socket_id, user_id, info, most, "1" if must_see else ""
        )
        if reply[0] == -1:
            raise RosterFull(most)
        news, version, snapshot = reply
        if news:
            self._joined(key, user_id)
        if snapshot and picture.version is None:
            self._begin(key, picture, snapshot)
        await picture.reached(int(version))
        if not self._link.is_up:
            raise Unreachable(self._link.reason)

    async def leave(self, app_id: str, channel: str, socket_id: str) -> Departure:
        """Those who are in hear of it by the announcement."""
        key = (app_id, channel)
        picture = self._pictures.get(key)
        member = picture.here.get(socket_id) if picture is not None else None
        if picture is None or member is None:
            return Departure(gone=None)
        self._drop(key, picture, socket_id)
        if self.is_departing:
            self._leave_later(key, socket_id, member)
        else:
            await self._leave(key, socket_id, member)
        return Departure(gone=None)

    def _leave_later(self, key: Key, socket_id: str, member: Member) -> None:
        """If the relay ends before, the node that sweeps it sees to it."""

        def leave() -> None:
            self._leaving.discard(timer)
            self._spawn(self._leave(key, socket_id, member))

        timer = self._call_later(GRACE, leave)
        self._leaving.add(timer)

    def end(self) -> None:
        for timer in self._leaving:
            timer.cancel()
        self._leaving.clear()

    async def _leave(self, key: Key, socket_id: str, member: Member) -> None:
        self._flush()  # his last words come before
        try:
            self._parted(key, await self._steps.run("leave", key, socket_id, member.user_id))
        except Unreachable:
            picture = self._pictures.get(key)
            if picture is not None and member.user_id not in picture.users:
                self._remove(key, picture, member.user_id)

    def _drop(self, key: Key, picture: Picture, socket_id: str) -> None:
        picture.go(socket_id)
        if not picture.here:
            picture.wake(is_all=True)
            self._pictures.pop(key, None)

    # -- the picture -----------------------------------------------------------------------

    def hear(self, key: Key, said: Joined | Left | Changed) -> None:
        """An announcement. All of a channel come in the order of their versions."""
        picture = self._pictures.get(key)
        if picture is None:
            return
        if picture.version is None:
            picture.early.append(said)
        elif said.version > picture.version:
            self._apply(key, picture, said)
            picture.version = said.version
            picture.wake()

    def _apply(self, key: Key, picture: Picture, said: Joined | Left | Changed) -> None:
        if isinstance(said, Left):
            # Whoever is here is not gone: this node slept and was taken for dead, and will tell.
            if said.user_id not in picture.users:
                self._remove(key, picture, said.user_id)
            return
        member = Member(said.user_id, said.user_info.encode())
        if said.user_id in picture.members:
            picture.members[said.user_id] = member
        elif isinstance(said, Joined):
            self._add(key, picture, member, said.socket_id)

    def _add(self, key: Key, picture: Picture, member: Member, socket_id: str | None) -> None:
        if member.user_id not in picture.members:
            picture.members[member.user_id] = member
            frame = self._wording.member_added(key[1], member)
            self._deliver(Publication(*key, frame, socket_id))

    def _remove(self, key: Key, picture: Picture, user_id: str) -> None:
        if picture.members.pop(user_id, None) is not None:
            frame = self._wording.member_removed(key[1], user_id)
            self._deliver(Publication(*key, frame, gone=user_id))

    def _begin(self, key: Key, picture: Picture, snapshot: Sequence[Any]) -> None:
        """The first snapshot; nobody of this node has been let in before it."""
        picture.version, members = read(snapshot)
        picture.members = dict(members)
        early, picture.early = picture.early, []
        for said in early:
            self.hear(key, said)
        picture.wake()

    # -- away and back ---------------------------------------------------------------------

    def lost(self) -> None:
        """Redis is away: what waits goes on with what this node knows.

        The Redis that comes back may know less than was announced: an empty one, or a replica that
        was behind. So what it says then is the truth, whatever version it gives.
        """
        for picture in list(self._pictures.values()):
            picture.wake(is_all=True)
            if picture.version is not None:
                picture.version = 0

    async def restore(self) -> None:
        """Tell Redis of everybody who is here, and the clients of who came meanwhile.

        Raises ``Unreachable``.
        """
        for key, picture in list(self._pictures.items()):
            for socket_id, member in list(picture.here.items()):
                reply = await self._steps.run(
                    "join", key, socket_id, member.user_id, member.user_info, 2**31, ""
                )
                if reply[0]:
                    self._joined(key, member.user_id)
                if socket_id not in picture.here:  # it went meanwhile
                    await self._leave(key, socket_id, member)
            await self.compare(key, is_final=False)

    async def compare(self, key: Key, *, is_final: bool) -> None:
        """Bring the picture in line with Redis. Who is missing there goes when it is final.

        Raises ``Unreachable``.
        """
        for _ in range(MOST_COMPARISONS):
            version, members = read(await self._steps.run("members", key))
            picture = self._pictures.get(key)
            if picture is None:
                return
            if picture.version is None or picture.version <= version:
                break  # else something newer was announced meanwhile
        else:
            return
        for user_id, member in members.items():
            self._add(key, picture, member, None)
            picture.members[user_id] = member
        if is_final:
            for user_id in picture.members.keys() - members.keys() - picture.users.keys():
                self._remove(key, picture, user_id)
        picture.version = max(version, picture.version or 0)
        picture.early.clear()
        picture.wake()

    async def compare_all(self) -> None:
        for key in list(self._pictures):
            await self.compare(key, is_final=True)

    # -- asking ----------------------------------------------------------------------------

    async def members(self, app_id: str, channel: str) -> Sequence[Member]:
        key = (app_id, channel)
        try:
            _, members = read(await self._steps.run("members", key))
        except Unreachable:
            picture = self._pictures.get(key)
            return tuple(picture.members.values()) if picture is not None else ()
        return tuple(members.values())

    async def user_count(self, app_id: str, channel: str) -> int:
        key = (app_id, channel)
        try:
            count = await self._link.call("HLEN", self._steps.names.channel(key) + b"u")
        except Unreachable:
            picture = self._pictures.get(key)
            return len(picture.members) if picture is not None else 0
        return int(count)

    def has_member(self, key: Key, user_id: str) -> bool:
        """Whether a user is in a channel that clients of this node are in."""
        picture = self._pictures.get(key)
        return picture is not None and user_id in picture.members

    def __len__(self) -> int:
        return len(self._pictures)
