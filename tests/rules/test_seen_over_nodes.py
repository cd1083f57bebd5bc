"""The same as ``test_seen`` on two nodes: what is on its way between them arrives as late, and in
as many orders, as Redis may let it.

Some users have a tab on each node (``ada`` and ``ada 2``).
"""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

import tests.properties  # noqa: F401  (how many examples)
from tests.rules.nodes import nodes
from tests.rules.page import Page, Point
from tests.rules.test_seen import (
    OFFICE,
    RADIUS,
    WhatIsSeen,
    WhatIsSeenByTheFar,
    WhatIsSeenByTheNear,
    coordinates,
)
from tests.signing import APP
from wsrelay.config.settings import Settings
from wsrelay.core.rules import Proximity

names = st.sampled_from(["ada", "bob", "cyd", "dan", "ada 2", "bob 2"])
steps = st.lists(st.integers(0, 5), max_size=8)


def user_of(name: str) -> str:
    return name.partition(" ")[0]


class OverNodes(WhatIsSeen):
    """Mixed into a machine of ``test_seen``."""

    server: Any
    is_begun = False

    def __init__(self) -> None:
        #: By user: the tab that moved last. What it said may wait for its tick, or be on its way.
        self.moving: dict[str, str] = {}
        self.leaving: set[str] = set()
        self.is_somebody_joining = True
        super().__init__()
        self.is_begun = True

    def running(self, settings: Settings) -> Any:
        return nodes(settings)

    @property
    def servers(self) -> list[Any]:
        return list(self.server.servers)

    def settle(self) -> None:
        self.server.settle()
        self.leaving.clear()

    # -- what happens --------------------------------------------------------------------------

    @rule(node=st.integers(0, 1))
    def go_to(self, node: int) -> None:
        """Who joins next, joins there."""
        self.server.at = node

    @rule(steps=steps)
    def redis_goes_on(self, steps: list[int]) -> None:
        for step in steps:
            self.server.exchange.step(step)
            self.server.turn()

    @rule(node=st.integers(0, 1))
    def ask_again(self, node: int) -> None:
        """As a node does that has missed something."""
        self.servers[node].service.room.remarks.ask(APP.id, OFFICE)

    @rule(name=names)
    def join(self, name: str) -> None:
        if name in self.pages:
            return
        if user_of(name) in self.leaving:
            self.settle()  # or he would never have been gone
        self.is_somebody_joining = True
        if not self.is_begun:
            self.server.at = len(self.pages) % 2
        visitor = self.server.guest()
        self.pages[name] = Page(visitor, name)
        self.talk[name] = []
        visitor.subscribe(OFFICE, json.dumps({"user_id": user_of(name)}))
        self.server.turn()

    @rule(name=names, politely=st.booleans())
    def leave(self, name: str, politely: bool) -> None:
        user = user_of(name)
        if name not in self.pages:
            return
        others = [other for other in self.pages if user_of(other) == user and other != name]
        if others or user not in self.places:
            self.settle()  # or who is gone, and whose move was the last, is Redis' to say
        place = self.places.get(user)
        super().leave(name, politely)
        self.places.pop(user, None)
        if others and place is not None:
            self.places[user] = place
            self.settle()  # his last words may have left with this tab
        self.leaving.add(user)

    @rule(name=names, x=coordinates, y=coordinates)
    def move(self, name: str, x: int, y: int) -> None:
        user = user_of(name)
        if name not in self.pages:
            return
        if self.moving.get(user, name) != name:
            # What ``newest`` holds back leaves first, and what waits in who is still joining.
            for seconds in (0.05, 0.05, 0.05, 1, 0.05):
                self.server.advance(seconds)
                self.settle()
        self.pages[name].visitor.whisper(OFFICE, {"x": x, "y": y}, "client-move")
        self.places[user] = (x, y)
        self.moving[user] = name

    @rule(moves=st.lists(st.tuples(names, coordinates, coordinates), min_size=2, max_size=6))
    def move_at_once(self, moves: list[tuple[str, int, int]]) -> None:
        """What they say crosses on the way."""
        for name, x, y in moves:
            self.move(name, x, y)
        self.server.turn()

    @rule(name=names, way=st.lists(st.tuples(coordinates, coordinates)))
    def wander(self, name: str, way: list[Point]) -> None:
        for x, y in way[:4]:
            self.move(name, x, y)
            self.server.advance(0.05)

    @rule(name=names)
    def say(self, name: str) -> None:
        self.settle()
        if self.is_somebody_joining:  # who waits for a node that is no more waits for a second
            self.is_somebody_joining = False
            self.server.advance(1)
            self.settle()
        super().say(name)
        self.settle()  # nobody who joins from now on hears it

    @rule(name=names)
    def stop_reading(self, name: str) -> None:
        super().stop_reading(name)

    @rule(name=names)
    def read_again(self, name: str) -> None:
        super().read_again(name)

    # -- what must be true ---------------------------------------------------------------------

    def visible(self, name: str) -> set[str]:
        return (super().visible(user_of(name)) - {user_of(name)}) | self.moved_elsewhere(name)

    def moved_elsewhere(self, name: str) -> set[str]:
        """The page's own user, if another tab of his has moved last."""
        user = user_of(name)
        is_so = user in self.places and self.moving[user] != name
        return {user} if is_so else set()

    def near(self, name: str) -> dict[str, str]:
        return super().near(user_of(name))


class SeenOverNodes(OverNodes):
    pass


class SeenByTheFarOverNodes(OverNodes, WhatIsSeenByTheFar):
    pass


class SeenByTheNearOverNodes(OverNodes, WhatIsSeenByTheNear):
    pass


class SeenWithHysteresisOverNodes(OverNodes, WhatIsSeenByTheNear):
    """Who is near depends on the way there: both sides must say the same."""

    HYSTERESIS = 6
    rule_of_office = replace(
        WhatIsSeenByTheNear.rule_of_office,
        newest=None,
        proximity=Proximity(event="client-move", radius=RADIUS, hysteresis=HYSTERESIS),
    )

    def near(self, name: str) -> dict[str, str]:
        """What the page says, where it may."""
        user = user_of(name)
        said = self.pages[name].near
        for other, page in self.pages.items():
            if user_of(other) in said:
                assert page.near.get(user) == said[user_of(other)], (name, other)
        for other, place in self.places.items():
            if other == user or user not in self.places:
                continue
            distance = math.dist(place, self.places[user])
            assert (other in said) or distance > RADIUS, (name, other)
            assert (other not in said) or distance <= RADIUS + self.HYSTERESIS, (name, other)
        assert said.keys() <= self.places.keys()
        assert all(caller == min(user, other) for other, caller in said.items())
        return dict(said)

    def visible(self, name: str) -> set[str]:
        user = user_of(name)
        others = self.pages[name].near if user in self.places else self.places.keys() - {user}
        return set(others) | self.moved_elsewhere(name)


TestSeenOverNodes = SeenOverNodes.TestCase
TestSeenByTheFarOverNodes = SeenByTheFarOverNodes.TestCase
TestSeenByTheNearOverNodes = SeenByTheNearOverNodes.TestCase
TestSeenWithHysteresisOverNodes = SeenWithHysteresisOverNodes.TestCase
for _case in (
    TestSeenOverNodes,
    TestSeenByTheFarOverNodes,
    TestSeenByTheNearOverNodes,
    TestSeenWithHysteresisOverNodes,
):
    _case.settings = settings(stateful_step_count=40)
del _case
