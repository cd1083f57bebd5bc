"""Who is alive, and what becomes of what a dead node leaves behind.

Every node renews a lease twice a second. One whose lease has run out is swept by one of the
others, channel by channel, and each step takes away a trace only once, so that of every member
who vanished exactly one ``member_removed`` goes out, however many sweep.

After each absence (Redis was away, or this node slept and was taken for dead) a node goes by a
new name. It registers everything under that and then sweeps the old one, so nobody flickers.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ...core.ports import CallLater, Timer
from .channels import NODES, Steps
from .edges import Edges
from .names import Key
from .quota import Quota
from .tally import ClusterTally
from .wire import Unreachable, all_of

_log = Logger()

#: Seconds for which a node counts as alive without a word, and how often it says one.
LEASE = 3.0
BEAT = 0.5
#: Channels swept in one go.
SLICE = 200
#: Seconds between two beats after which this node does not judge others for a while: whoever
#: was held up may have been held up by what held up everybody.
LATE = 1.5


class Leases:
    def __init__(
        self,
        steps: Steps,
        origin: str,
        edges: Edges,
        quota: Quota,
        tally: ClusterTally,
        *,
        call_later: CallLater,
        clock: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        on_dead: Callable[[], None],
    ) -> None:
        """``on_dead`` is called when the others have taken this node for dead."""
        self._steps = steps
        self._origin = origin
        self._edges = edges
        self._quota = quota
        self._tally = tally
        self._call_later = call_later
        self._clock = clock
        self._spawn = spawn
        self._on_dead = on_dead
        self._lives = 0
        #: Names that this node went by, whose traces are still to be swept.
        self._former: list[str] = []
        self._timer: Timer | None = None
        self._is_beating = False
        self._last_beat = 0.0
        #: From when on this node may judge others.
        self._judges_from = 0.0
        self._has_ended = False

    async def enter(self) -> None:
        """Begin under a new name. Raises ``Unreachable``."""
        steps = self._steps
        if steps.node:
            self._former.append(steps.node)
        self._lives += 1
        steps.node = f"{self._origin}.{self._lives}"
        await steps.link.run(NODES, steps.names.nodes, "enter", steps.node, LEASE)
        self._last_beat = self._clock()
        self._judges_from = self._last_beat + LEASE + BEAT
        if not self._is_beating:
            self._is_beating = True
            self._beat_later()

    async def sweep_former(self) -> None:
        """Raises ``Unreachable``."""
        while self._former:
            await self._sweep(self._former[0])
            del self._former[0]

    def _beat_later(self) -> None:
        if not self._has_ended:
            self._timer = self._call_later(BEAT, self._beat_now)

    def _beat_now(self) -> None:
        self._timer = None
        self._spawn(self._beat())

    async def _beat(self) -> None:
        steps, now = self._steps, self._clock()
        node = steps.node
        if now - self._last_beat > LATE:
            self._judges_from = now + LEASE + BEAT
        self._last_beat = now
        may_judge = "1" if now >= self._judges_from else ""
        try:
            is_alive, *dead = await steps.link.run(
                NODES, steps.names.nodes, "beat", node, LEASE, may_judge
            )
        except Unreachable:
            return
        finally:
            self._beat_later()
        if not is_alive:
            if node == steps.node:
                _log.error("this node was silent for {lease} s and taken for dead", lease=LEASE)
                self._on_dead()
            return
        for each in dead:
            self._spawn(self._sweep_dead(each.decode()))

    async def _sweep_dead(self, node: str) -> None:
        try:
            await self._sweep(node)
        except Unreachable:
            return
        self._tally.nodes_swept += 1
        _log.warn("node {node} is gone: what it left behind is removed", node=node)

    async def _sweep(self, node: str) -> None:
        steps = self._steps
        link, names = steps.link, steps.names
        registered = list(await link.call("SMEMBERS", names.registered(node)))
        for start in range(0, len(registered), SLICE):
            keys = [names.key_of(each) for each in registered[start : start + SLICE]]
            await all_of(Deferred.fromCoroutine(self._sweep_channel(key, node)) for key in keys)
        origin = node.rpartition(".")[0]
        if origin != self._origin:
            await self._quota.sweep(origin)
        await link.call("DEL", names.registered(node))
        await link.run(NODES, names.nodes, "swept", node)

    async def _sweep_channel(self, key: Key, node: str) -> None:
        edge, parted = await self._steps.run("sweep", key, node)
        self._edges.passed(key, edge)
        self._edges.parted(key, parted)

    def end(self) -> None:
        """The others sweep this node when a lease has passed: its clients may be back by then."""
        self._has_ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
