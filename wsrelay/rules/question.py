"""What a node has asked the others about a channel, and what waits until they have answered."""

from __future__ import annotations

from typing import NamedTuple

from ..core.ports import Timer
from ..core.remarks import Told


class Move(NamedTuple):
    """A member has come there."""

    name: str
    at: tuple[float, float]


class Heard(NamedTuple):
    """What another node has told of itself; perhaps it asks."""

    origin: str
    told: Told


class Question:
    """What this node has asked, and what it has heard since."""

    def __init__(self, number: int, others: dict[str, set[str]], timer: Timer) -> None:
        self.number = number
        #: Nodes that have not answered, by their origins.
        self.others = others
        #: ``None`` when the time is over.
        self.timer: Timer | None = timer
        #: Whether it has its place among what all nodes hear.
        self.is_placed = False
        #: What waits for the answers, in its order; ``None`` when nothing does any longer.
        self.waiting: list[Move | Heard] | None = []
        #: Names and events of which something newer than an answer has come; names of the gone.
        self.heard: set[tuple[str, str]] = set()
        self.went: set[str] = set()
        #: Pairs of names who are near, as others have said.
        self.said: set[frozenset[str]] = set()

    def forget(self, name: str) -> None:
        """A member is gone: what answers say of him is over, and so are his moves."""
        self.went.add(name)
        if self.waiting:
            self.waiting = [
                each for each in self.waiting if not (isinstance(each, Move) and each.name == name)
            ]
