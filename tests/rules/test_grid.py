"""wsrelay.rules.grid, against the same decisions made by comparing everybody with everybody."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import tests.properties  # noqa: F401  (how many examples)
from wsrelay.rules.grid import Grid, Place
from wsrelay.rules.reading import FARTHEST

names = st.sampled_from("abcdefgh")
coordinates = st.integers(-12, 12) | st.floats(-12, 12, allow_nan=False)


class GridAgainstEverybody(RuleBasedStateMachine):
    """Whoever moves, comes and goes: near are those who have to be."""

    @initialize(radius=st.sampled_from([0.5, 1, 3, 10]), hysteresis=st.sampled_from([0, 0.5, 4]))
    def begin(self, radius: float, hysteresis: float) -> None:
        self.radius, self.hysteresis = radius, hysteresis
        self.grid = Grid(radius, hysteresis)
        self.places: dict[str, Place] = {}
        self.model: dict[str, tuple[float, float]] = {}
        self.near: set[frozenset[str]] = set()

    @rule(name=names, x=coordinates, y=coordinates)
    def move(self, name: str, x: float, y: float) -> None:
        place = self.places.setdefault(name, Place(name, {}))
        come, gone = self.grid.move(place, x, y)
        self.model[name] = (x, y)
        expected_come, expected_gone = set(), set()
        for other, (its_x, its_y) in self.model.items():
            if other == name:
                continue
            pair = frozenset((name, other))
            square = (its_x - x) ** 2 + (its_y - y) ** 2
            if pair not in self.near and square <= self.radius**2:
                self.near.add(pair)
                expected_come.add(other)
            elif pair in self.near and square > (self.radius + self.hysteresis) ** 2:
                self.near.discard(pair)
                expected_gone.add(other)
        assert sorted(other.name for other in come) == sorted(expected_come)
        assert sorted(other.name for other in gone) == sorted(expected_gone)

    @rule(name=names)
    def remove(self, name: str) -> None:
        if name not in self.places:
            return
        left = self.grid.remove(self.places.pop(name))
        del self.model[name]
        assert {frozenset((name, other.name)) for other in left} == {
            pair for pair in self.near if name in pair
        }
        self.near = {pair for pair in self.near if name not in pair}

    @invariant()
    def near_are_those_who_have_to_be(self) -> None:
        if not hasattr(self, "grid"):
            return
        assert {
            frozenset((place.name, other.name))
            for place in self.places.values()
            for other in place.near
        } == self.near
        assert sum(map(len, self.grid._cells.values())) == len(self.places)
        assert all(self.grid._cells.values())


TestGridAgainstEverybody = GridAgainstEverybody.TestCase
TestGridAgainstEverybody.settings = settings(stateful_step_count=60)


def test_who_moves_is_compared_with_his_neighbours_only() -> None:
    grid = Grid(10, 0)
    for column in range(30):
        for row in range(30):
            grid.move(Place(f"{column} {row}", {}), column * 20, row * 20)
    compared = {
        place for i in (-1, 0, 1) for j in (-1, 0, 1) for place in grid._cells.get((i, j), ())
    }
    assert len(compared) <= 4
    here = Place("here", {})
    come, _ = grid.move(here, 1, 1)
    assert [place.name for place in come] == ["0 0"]


@pytest.mark.parametrize("radius", [1e-6, 1, 1e9])
def test_the_farthest_places_and_the_smallest_and_largest_radius_are_no_trouble(
    radius: float,
) -> None:
    grid = Grid(radius, 0)
    one, other = Place("one", {}), Place("other", {})
    grid.move(one, -FARTHEST, FARTHEST)
    grid.move(other, FARTHEST, FARTHEST)
    assert grid.move(other, -FARTHEST, FARTHEST)[0] == [one]
    assert math.isclose(one.distance(other), 0)


def test_who_was_put_is_near_by_distance_or_where_others_have_said_so() -> None:
    grid = Grid(100, 20)
    ada, bob, cyd, dan = [Place(name, {}) for name in ("ada", "bob", "cyd", "dan")]
    for place, x in ((ada, 0), (bob, 100), (cyd, -110), (dan, 121)):
        grid.put(place, x, 0)
    said = {frozenset(("ada", "cyd")), frozenset(("ada", "dan"))}
    come, gone = grid.settle(ada, said)
    assert (set(come), gone) == ({bob, cyd}, [])
    assert grid.settle(ada, set()) == ([], [])
    grid.put(ada, -25, 0)
    assert grid.settle(ada, said) == ([], [bob])
