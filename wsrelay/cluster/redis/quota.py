"""How many connections each app has on the other nodes, told as they change.

A node that admits a client looks at its own number and at what the others told last, so that a
handshake waits for nobody. The others are ``DELAY`` seconds behind, and in that time an app may
get as many connections too many as its other nodes admit. Every number goes to all nodes, so with
more than ``FEW`` of them each tells it more seldom: all together say as much as those few.
"""

from __future__ import annotations

from ...core.apps import Apps
from ...core.connections import Connections
from ...core.ports import CallLater, Timer
from . import envelope
from .channels import Steps

#: Seconds in which changes are gathered, by so many nodes.
DELAY = 0.05
FEW = 4


class Quota:
    def __init__(
        self,
        steps: Steps,
        origin: str,
        apps: Apps,
        connections: Connections,
        call_later: CallLater,
    ) -> None:
        self._steps = steps
        self._origin = origin
        self._apps = apps
        self._connections = connections
        self._call_later = call_later
        self._changed: set[str] = set()
        #: By app and node. Another node's name here is its process's, which outlives absences.
        self._others: dict[str, dict[str, int]] = {}
        self._timer: Timer | None = None
        connections.on_change = self._note

    def _note(self, app_id: str) -> None:
        if not self._changed:
            nodes = 1 + max(map(len, self._others.values()), default=0)
            self._timer = self._call_later(DELAY * max(1.0, nodes / FEW), self._tell)
        self._changed.add(app_id)

    def end(self) -> None:
        """Nothing is told any more."""
        self._connections.on_change = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        self._timer = None
        changed, self._changed = self._changed, set()
        link, names = self._steps.link, self._steps.names
        for app_id in changed:
            count = self._connections.count(app_id)
            link.tell("HSET", names.connections(app_id), self._origin, count)
            letter = envelope.Connections(self._origin, app_id, count)
            link.publish(names.all, envelope.encode(letter))

    def hear(self, letter: envelope.Connections) -> None:
        if letter.origin != self._origin:
            self._others.setdefault(letter.app_id, {})[letter.origin] = letter.count
            self._sum(letter.app_id)

    def _sum(self, app_id: str) -> None:
        others = self._others.get(app_id, {})
        for origin in [origin for origin, count in others.items() if not count]:
            del others[origin]
        self._connections.elsewhere[app_id] = sum(others.values())

    async def restore(self) -> None:
        """Learn everybody's numbers and tell the own. Raises ``Unreachable``."""
        names = self._steps.names
        for app in self._apps:
            found = await self._steps.link.call("HGETALL", names.connections(app.id))
            self._others[app.id] = {
                origin: int(count)
                for each, count in zip(found[::2], found[1::2], strict=True)
                if (origin := each.decode()) != self._origin
            }
            self._sum(app.id)
            if self._connections.count(app.id):
                self._note(app.id)

    async def sweep(self, origin: str) -> None:
        """Another process is gone. Raises ``Unreachable``."""
        link, names = self._steps.link, self._steps.names
        for app in self._apps:
            if await link.call("HDEL", names.connections(app.id), origin):
                link.publish(names.all, envelope.encode(envelope.Connections(origin, app.id, 0)))
            self.hear(envelope.Connections(origin, app.id, 0))
