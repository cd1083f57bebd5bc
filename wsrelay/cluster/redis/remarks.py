"""What the rules of a channel tell those of other nodes, and whom they have to ask."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from ...core.ports import CallLater, Colleagues
from ...core.remarks import Remark, Told
from .bus import RedisBus
from .channels import Steps
from .envelope import Dead, Remarked
from .interest import Interests
from .names import Key
from .tally import ClusterTally
from .wire import Unreachable

#: Seconds between noticing a gap and asking: where one envelope is missing, more will be.
MISSED_PAUSE = 1.0


class Remarks:
    """The port ``Nodes``."""

    def __init__(
        self,
        steps: Steps,
        interests: Interests,
        bus: RedisBus,
        origin: str,
        tally: ClusterTally,
        *,
        colleagues: Callable[[Key], Colleagues | None],
        has_member: Callable[[Key, str], bool],
        call_later: CallLater,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._steps = steps
        self._interests = interests
        self._bus = bus
        self.origin = origin
        self._tally = tally
        self._colleagues = colleagues
        self._has_member = has_member
        self._call_later = call_later
        self._spawn = spawn
        #: Channels that will be asked about, as something of them was missed.
        self._missed: set[Key] = set()

    # -- the port --------------------------------------------------------------------------

    def ask(self, app_id: str, channel: str) -> bool:
        key = (app_id, channel)
        is_shared = self._is_shared(key)
        if is_shared:
            self._spawn(self._ask(key))
        return is_shared

    def tell(self, app_id: str, channel: str, remark: Remark) -> None:
        if self._is_shared((app_id, channel)):
            self._bus.remark((app_id, channel), remark)

    def unanswered(self) -> None:
        self._tally.unanswered += 1

    def has_member(self, app_id: str, channel: str, user_id: str) -> bool:
        return self._has_member((app_id, channel), user_id)

    def _is_shared(self, key: Key) -> bool:
        interest = self._interests.of(key)
        return interest is not None and not interest.is_alone

    async def _ask(self, key: Key) -> None:
        """Nothing is asked while Redis is away: all is asked anew on return."""
        try:
            others = await self._others(key)
        except Unreachable:
            if self._steps.link.is_up:  # it was this channel's shard alone
                self.missed(key)
            return
        colleagues = self._colleagues(key)
        if colleagues is not None:
            colleagues.ask(others)

    async def _others(self, key: Key) -> dict[str, set[str]]:
        """The other nodes that attend, by their origins. Raises ``Unreachable``."""
        if not self._is_shared(key):
            return {}
        steps = self._steps
        others: dict[str, set[str]] = {}
        for node in await steps.link.call("HKEYS", steps.names.channel(key) + b"n"):
            name = node.decode()
            others.setdefault(_origin_of(name), set()).add(name)
        others.pop(self.origin, None)
        return others

    # -- hearing ---------------------------------------------------------------------------

    def hear(self, key: Key, letter: Remarked | Dead) -> None:
        colleagues = self._colleagues(key)
        if colleagues is None:
            self._answer_for_nobody(key, letter)
            return
        if isinstance(letter, Dead):
            origin = _origin_of(letter.node)
            if origin != self.origin:
                colleagues.died(origin, letter.node)
        elif letter.origin != self.origin:
            self._tally.remarks_in += 1
            colleagues.hear(letter.origin, letter.node, letter.remark)
        elif isinstance(letter.remark, Told) and letter.remark.asks and letter.remark.is_last:
            colleagues.asked(letter.remark.asks)

    def _answer_for_nobody(self, key: Key, letter: Remarked | Dead) -> None:
        """This node attends, and its first member is not in yet: it will ask itself."""
        if isinstance(letter, Remarked) and letter.origin != self.origin:
            told = letter.remark
            if isinstance(told, Told) and told.asks and told.is_last:
                self._bus.remark(key, Told([], [], answers=(letter.origin, told.asks)))

    def missed(self, key: Key) -> None:
        """Something was lost on its way: ask what is so, once for all that is lost in a while."""
        if self._colleagues(key) is not None and key not in self._missed:
            self._missed.add(key)
            self._call_later(MISSED_PAUSE, lambda: self._ask_again(key))

    def _ask_again(self, key: Key) -> None:
        self._missed.discard(key)
        self._spawn(self._ask(key))

    # -- away and back ---------------------------------------------------------------------

    def parted(self) -> None:
        """Redis is away."""
        for colleagues in self._all():
            colleagues.parted()

    async def restore(self, keys: Iterable[Key]) -> None:
        for key in keys:
            if self._colleagues(key) is not None:
                await self._ask(key)

    def forget_silent(self) -> None:
        """All nodes had time to come back."""
        for colleagues in self._all():
            colleagues.forget_silent()

    def _all(self) -> list[Colleagues]:
        found = [self._colleagues(interest.key) for interest in self._interests]
        return [colleagues for colleagues in found if colleagues is not None]


def _origin_of(node: str) -> str:
    return node.rpartition(".")[0]
