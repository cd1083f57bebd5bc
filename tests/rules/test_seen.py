"""Whatever members do, in any order and however slowly they read: what each has seen in the end.

The whole server in memory, its time the test's. Members join, leave, move and talk; some stop
reading for a while, with transports that are full after the first frame. When all have caught
up, everybody has seen what a handful of dictionaries say.
"""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from msgspec.structs import replace

import tests.properties  # noqa: F401  (how many examples)
from tests.memory import running
from tests.rules.page import Page, Point
from tests.signing import APP
from wsrelay.config.settings import Settings
from wsrelay.core.rules import Newest, Proximity, Rule

OFFICE = "presence-office"
RADIUS = 10

names = st.sampled_from(["ada", "bob", "cyd", "dan"])
coordinates = st.integers(-15, 15)


class WhatIsSeen(RuleBasedStateMachine):
    """With ``newest`` and ``snapshot``."""

    rule_of_office = Rule(
        channels="*", newest=Newest(events=("client-move",), rate=20), snapshot=True
    )

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(patch("tests.memory.FULL", 50))
        app = replace(APP, rules=(self.rule_of_office,), client_event_rate=0)
        self.server = self.stack.enter_context(self.running(Settings(apps=(app,))))
        self.pages: dict[str, Page] = {}
        self.places: dict[str, Point] = {}
        self.talk: dict[str, list[int]] = {}
        self.said = 0
        for name in ("ada", "bob", "cyd"):
            self.join(name)

    def running(self, settings: Settings) -> Any:
        return running(settings)

    @property
    def servers(self) -> list[Any]:
        return [self.server]

    def settle(self) -> None:
        """Let all that is on its way between nodes arrive."""

    # -- what happens --------------------------------------------------------------------------

    @rule(name=names)
    def join(self, name: str) -> None:
        if name in self.pages:
            return
        visitor = self.server.guest()
        self.pages[name] = Page(visitor, name)
        self.talk[name] = []
        visitor.subscribe(OFFICE, json.dumps({"user_id": name}))
        self.server.turn()

    @rule(name=names, politely=st.booleans())
    def leave(self, name: str, politely: bool) -> None:
        page = self.pages.pop(name, None)
        if page is None:
            return
        if politely:
            page.visitor.leave(OFFICE)
            self.server.turn()
        page.visitor.line.hang_up()
        self.places.pop(name, None)
        self.server.turn()

    @rule(name=names, x=coordinates, y=coordinates)
    def move(self, name: str, x: int, y: int) -> None:
        if name in self.pages:
            self.pages[name].visitor.whisper(OFFICE, {"x": x, "y": y}, "client-move")
            self.places[name] = (x, y)

    @rule(name=names, way=st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=4))
    def wander(self, name: str, way: list[Point]) -> None:
        for x, y in way:
            self.move(name, x, y)
            self.server.advance(0.05)

    @rule(name=names)
    def say(self, name: str) -> None:
        if name in self.pages:
            self.said += 1
            self.pages[name].visitor.whisper(OFFICE, self.said, "client-talk")
            for other, talk in self.talk.items():
                if other != name and other in self.pages:
                    talk.append(self.said)

    @rule(name=names)
    def stop_reading(self, name: str) -> None:
        if name in self.pages:
            self.pages[name].visitor.line.is_read = False

    @rule(name=names)
    def read_again(self, name: str) -> None:
        if name in self.pages:
            self.pages[name].visitor.line.catch_up()
            self.server.turn()

    @rule(seconds=st.sampled_from([0, 0.01, 0.05, 0.3]))
    def wait(self, seconds: float) -> None:
        self.server.advance(seconds)

    # -- what must be true ---------------------------------------------------------------------

    @precondition(lambda self: self.pages)
    @rule()
    def all_have_seen_what_they_must(self) -> None:
        for page in self.pages.values():
            page.visitor.line.catch_up()
        for _ in range(30):
            self.server.advance(0.1)
            self.settle()
        for page in self.pages.values():
            page.listen()
        for name, page in self.pages.items():
            assert page.visitor.farewell is None
            assert page.talk == self.talk[name]
            assert page.near == self.near(name)
            for other in self.visible(name):
                assert page.seen[other] == self.places[other], (name, other)
            assert page.seen.keys() <= self.places.keys()

    def visible(self, name: str) -> set[str]:
        return self.places.keys() - {name}

    def near(self, name: str) -> dict[str, str]:
        return {}

    def teardown(self) -> None:
        with self.stack:
            if self.pages:
                self.all_have_seen_what_they_must()
            for name in list(self.pages):
                self.leave(name, politely=False)
            self.server.turn()
            self.settle()
            for server in self.servers:
                assert len(server.service.relay.hub) == 0


class WhatIsSeenByTheFar(WhatIsSeen):
    """And with ``proximity``, where those who are far away hear of everything in time."""

    rule_of_office = replace(
        WhatIsSeen.rule_of_office,
        proximity=Proximity(event="client-move", radius=RADIUS, beyond_rate=2),
    )

    def near(self, name: str) -> dict[str, str]:
        return {
            other: min(name, other)
            for other, place in self.places.items()
            if name in self.places
            and other != name
            and math.dist(place, self.places[name]) <= RADIUS
        }


class WhatIsSeenByTheNear(WhatIsSeenByTheFar):
    """With ``proximity`` where those who are far away hear nothing."""

    rule_of_office: Any = replace(
        WhatIsSeen.rule_of_office,
        proximity=Proximity(event="client-move", radius=RADIUS),
    )

    def visible(self, name: str) -> set[str]:
        if name not in self.places:
            return super().visible(name)
        return set(self.near(name))


class WhatIsSeenOfEveryMove(WhatIsSeenByTheNear):
    """The same where every move leaves."""

    rule_of_office = replace(WhatIsSeenByTheNear.rule_of_office, newest=None)


TestWhatIsSeen = WhatIsSeen.TestCase
TestWhatIsSeenByTheFar = WhatIsSeenByTheFar.TestCase
TestWhatIsSeenByTheNear = WhatIsSeenByTheNear.TestCase
TestWhatIsSeenOfEveryMove = WhatIsSeenOfEveryMove.TestCase
for _case in (
    TestWhatIsSeen,
    TestWhatIsSeenByTheFar,
    TestWhatIsSeenByTheNear,
    TestWhatIsSeenOfEveryMove,
):
    _case.settings = settings(stateful_step_count=40)
del _case
