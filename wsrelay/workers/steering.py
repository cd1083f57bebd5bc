"""Leaving ports to others: connections to come are dealt to them, and to none of the workers.

Which places the workers' sockets have in a group only those can find out who accept from them
(``sharing``), one after the other. The parent then has the kernel deal past all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from ..sharing import anybody_but, attach, listeners
from ..successor import Successor
from .crew import Crew
from .opening import Opened
from .words import FindPlaces, Places

_log = Logger(namespace="wsrelay")


async def steer_away(crew: Crew, dealt: Sequence[Opened]) -> list[bool]:
    """Whether each of these ports is left to others now; not where there are none."""
    if not any(port.successor is Successor.PRESENT for port in dealt):
        return [False for _ in dealt]
    found: list[set[int]] = [set() for _ in dealt]
    for slot in crew.serving:
        answers = await crew.ask(FindPlaces(), Places, [slot])
        for answer in answers.values():
            for places, place in zip(found, answer.found, strict=True):
                if place is not None:
                    places.add(place)
    return [_steered(port, places) for port, places in zip(dealt, found, strict=True)]


def _steered(port: Opened, places: set[int]) -> bool:
    listening = port.sockets[0]
    try:
        others = listeners(listening) - len(port.sockets)
        if others < 1:
            return False
        if len(places) < len(port.sockets):
            raise OSError("not all of the workers' own sockets were found")
        attach(listening, anybody_but(places, others))
    except OSError as error:
        _log.warn("connections can't be dealt to the other processes: {error}", error=error)
        return False
    return True
