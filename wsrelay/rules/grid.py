"""Who is near whom: places in the plane, sorted into cells so that only neighbours are compared."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Set

from ..core.frame import Frame
from ..core.ports import Slot, Subscriber

Cell = tuple[int, int]

NO_PAIRS: Set[frozenset[str]] = frozenset()


class Place:
    """Where a member is, and what is needed to tell others of it."""

    __slots__ = ("cell", "connections", "frame", "name", "near", "slot", "x", "y")

    frame: Frame
    slot: Slot

    def __init__(self, name: str, connections: Mapping[str, Subscriber]) -> None:
        self.name = name
        self.connections = connections
        self.x = self.y = 0.0
        self.cell: Cell | None = None
        #: In order of coming near.
        self.near: dict[Place, None] = {}

    def distance(self, other: Place) -> float:
        return float(((self.x - other.x) ** 2 + (self.y - other.y) ** 2) ** 0.5)


class Grid:
    """Two come near within ``radius``, and are so until they are ``hysteresis`` farther apart.

    Cells are as wide as that, so whoever is or was near stands in one of nine.
    """

    def __init__(self, radius: float, hysteresis: float) -> None:
        self._width = radius + hysteresis
        self._enter = radius**2
        self._leave = self._width**2
        self._cells: dict[Cell, dict[Place, None]] = {}

    def put(self, place: Place, x: float, y: float) -> None:
        """Put a place there, whoever is near it."""
        place.x, place.y = x, y
        width = self._width
        cell = int(x // width), int(y // width)
        if cell != place.cell:
            self._lift(place)
            self._cells.setdefault(cell, {})[place] = None
            place.cell = cell

    def move(self, place: Place, x: float, y: float) -> tuple[list[Place], list[Place]]:
        """Put a place there; return those who have come near it, and those who no longer are."""
        self.put(place, x, y)
        return self.settle(place)

    def settle(
        self,
        place: Place,
        said: Set[frozenset[str]] = NO_PAIRS,
        among: Container[str] | None = None,
    ) -> tuple[list[Place], list[Place]]:
        """The same for a place that was put: ``said`` are pairs of names who were near so far.

        ``among``: names; who else is near is left as it is.
        """
        x, y, near, enter, leave = place.x, place.y, place.near, self._enter, self._leave
        reach = leave if said else enter
        gone = [other for other in near if (other.x - x) ** 2 + (other.y - y) ** 2 > leave]
        come = [
            other
            for other in self._around(place)
            if (square := (other.x - x) ** 2 + (other.y - y) ** 2) <= reach
            and other not in near
            and other is not place
            and (square <= enter or frozenset((place.name, other.name)) in said)
        ]
        if among is not None:
            gone = [other for other in gone if other.name in among]
            come = [other for other in come if other.name in among]
        return self._change(place, come, gone)

    def _around(self, place: Place) -> Iterator[Place]:
        """All who are in one of the nine cells about it."""
        assert place.cell is not None
        column, row = place.cell
        for i in (column - 1, column, column + 1):
            for j in (row - 1, row, row + 1):
                yield from self._cells.get((i, j), ())

    def _change(
        self, place: Place, come: list[Place], gone: list[Place]
    ) -> tuple[list[Place], list[Place]]:
        self._part(place, gone)
        for other in come:
            place.near[other] = None
            other.near[place] = None
        return come, gone

    def remove(self, place: Place) -> list[Place]:
        """Take a place away; return those who were near it."""
        self._lift(place)
        place.cell = None
        near = list(place.near)
        self._part(place, near)
        return near

    @staticmethod
    def _part(place: Place, others: Iterable[Place]) -> None:
        for other in others:
            del place.near[other]
            del other.near[place]

    def _lift(self, place: Place) -> None:
        if place.cell is not None:
            cell = self._cells[place.cell]
            del cell[place]
            if not cell:
                del self._cells[place.cell]
