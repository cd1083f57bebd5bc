"""What backends and watchers are told of who comes and goes, once over all nodes.

The node whose step made an edge sees to it. Who has left is held for ``GRACE`` seconds, and told
of only if he has not come back by then on whichever node: Redis knows, see ``channel.lua``. If
this node ends meanwhile, the one that sweeps it takes over.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ...core.names import USER_CHANNEL_PREFIX
from ...core.notices import ChannelOccupied, ChannelVacated, MemberAdded, MemberRemoved
from ...core.ports import CallLater, Observer, Timer
from .channels import Steps
from .names import Key
from .wire import Unreachable

#: Seconds for which somebody who left may come back without a word being told.
GRACE = 3.0
#: Who may be held at once; past it the longest held is settled early.
MOST_HELD = 100_000
#: Settled in one go.
SLICE = 500

Held = tuple[Key, str, str]


class Edges:
    def __init__(
        self,
        steps: Steps,
        *,
        observer: Observer,
        come_online: Callable[[str, str], None],
        gone_offline: Callable[[str, str], None],
        call_later: CallLater,
        clock: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        released: Callable[[Key], None],
    ) -> None:
        self._steps = steps
        self._observe = observer
        self._come_online = come_online
        self._gone_offline = gone_offline
        self._call_later = call_later
        self._clock = clock
        self._spawn = spawn
        self._released = released
        #: When each is due; what is "" for the channel, "mUSER" for a member; his version.
        self._held: deque[tuple[float, Held]] = deque()
        self._holds: Counter[Key] = Counter()
        self._timer: Timer | None = None
        self._has_ended = False

    def holds(self, key: Key) -> bool:
        return key in self._holds

    def passed(self, key: Key, edge: Sequence[Any]) -> None:
        """A channel's edge, as ``channel.lua`` tells it."""
        is_occupied, vacated, listed = edge
        if listed:
            self._steps.tell_list(key, listed)
        if is_occupied:
            self._arrived(key, "")
        if vacated:
            self._hold(key, "", vacated.decode())

    def joined(self, key: Key, user_id: str) -> None:
        """A user has come, and that is news."""
        self._arrived(key, "m" + user_id)

    def parted(self, key: Key, pairs: Sequence[bytes]) -> None:
        """Members, or the channel, have left: ``what`` and version by turns."""
        for what, version in zip(pairs[::2], pairs[1::2], strict=True):
            if version:
                self._hold(key, what.decode(), version.decode())

    def _hold(self, key: Key, what: str, version: str) -> None:
        if self._has_ended:
            return
        self._steps.register(key)
        self._holds[key] += 1
        self._held.append((self._clock() + GRACE, (key, what, version)))
        if len(self._held) > MOST_HELD:
            self._settle_first()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None and self._held:
            pause = max(0.0, self._held[0][0] - self._clock())
            self._timer = self._call_later(pause, self._settle_due)

    def _settle_due(self) -> None:
        self._timer = None
        now = self._clock()
        for _ in range(SLICE):
            if not self._held or self._held[0][0] > now:
                break
            self._settle_first()
        self._set_timer()

    def _settle_first(self) -> None:
        _, held = self._held.popleft()
        self._spawn(self._settle(*held))

    async def _settle(self, key: Key, what: str, version: str) -> None:
        try:
            is_gone = await self._steps.run("settle", key, what, version)
        except Unreachable:
            is_gone = 0  # whoever sweeps this node's traces takes over
        self._holds[key] -= 1
        if not self._holds[key]:
            del self._holds[key]
            self._released(key)
        if is_gone:
            self._left(key, what)

    def _arrived(self, key: Key, what: str) -> None:
        app_id, channel = key
        if what:
            self._observe(MemberAdded(app_id, channel, what[1:]))
        elif channel.startswith(USER_CHANNEL_PREFIX):
            self._come_online(app_id, channel.removeprefix(USER_CHANNEL_PREFIX))
        else:
            self._observe(ChannelOccupied(app_id, channel))

    def _left(self, key: Key, what: str) -> None:
        app_id, channel = key
        if what:
            self._observe(MemberRemoved(app_id, channel, what[1:]))
        elif channel.startswith(USER_CHANNEL_PREFIX):
            self._gone_offline(app_id, channel.removeprefix(USER_CHANNEL_PREFIX))
        else:
            self._observe(ChannelVacated(app_id, channel))

    def end(self) -> None:
        """The relay stops: another node will see to what is held."""
        self._has_ended = True
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
