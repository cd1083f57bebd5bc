"""How all workers stop as one: none of them takes its siblings for those who go on.

1. Nobody is replaced any more, and the service manager knows that it stops.
2. Who goes on is found out here, for all. Where others listen on the ports as well, connections to
   come are dealt to them.
3. The parent's own sockets close, so that each worker's closes when the worker leaves it.
4. The workers stop, each in the order that ``wsrelay.stopping`` knows, and the parent waits for
   their end. Who takes longer than he may is ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..config.settings import Settings
from ..notify import Notify
from ..stopping import longest
from ..successor import Successor
from .crew import Crew
from .opening import Opened, close
from .steering import steer_away
from .words import Hurry, Stop

_log = Logger(namespace="wsrelay")

#: Seconds that workers may take longer than they should.
INDULGENCE = 5.0


class Stopping:
    """Stops the workers, once."""

    def __init__(self, clock: IReactorTime, crew: Crew, notify: Notify, settings: Settings) -> None:
        self.has_begun = False
        self._clock = clock
        self._crew = crew
        self._notify = notify
        self._drain = settings.drain
        self._said = settings.successor
        self._is_hurried = False
        self._end: IDelayedCall | None = None

    async def run(self, places: Sequence[Sequence[Opened]]) -> None:
        """All four steps."""
        self.has_begun = True
        ports = [port for place in places for port in place]
        found = _successor(ports, self._said)
        most = longest(found, self._drain) + INDULGENCE
        self._notify.stopping(most)
        for slot in self._crew:
            slot.end()
        dealt = [port for port in ports if port.is_dealt]
        are_steered = [False for _ in dealt]
        if found is Successor.PRESENT and not self._is_hurried:
            are_steered = await steer_away(self._crew, dealt)
        close(places)
        self._crew.say(Stop(found.name, are_steered))
        gone: Deferred[None] = self._crew.when_gone()
        self._end_within(most)
        if self._is_hurried:
            self.hurry()
        await gone
        if self._end is not None and self._end.active():
            self._end.cancel()

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self._is_hurried = True
        self._crew.say(Hurry())
        if self._end is not None:
            self._end_within(INDULGENCE)

    def _end_within(self, seconds: float) -> None:
        if self._end is not None and self._end.active():
            self._end.cancel()
        self._end = self._clock.callLater(seconds, self._kill)

    def _kill(self) -> None:
        late = [slot for slot in self._crew if slot.is_alive]
        for slot in late:
            slot.kill()
        if late:
            _log.error(
                "workers {workers} did not stop in time and were ended",
                workers=", ".join(str(slot.number) for slot in late),
            )


def _successor(ports: Sequence[Opened], said: str) -> Successor:
    """Who there is, for all of the ports. What the operator has ``said`` counts more."""
    if said != "auto":
        return Successor[said.upper()]
    return min(
        (port.successor for port in ports), key=lambda found: found.value, default=Successor.NONE
    )
