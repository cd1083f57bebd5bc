"""The office of ``tests.rules.office`` on two nodes: who comes next is on the other one.

Used as a ``Relayed`` and its ``Client``, so that the same tests run on both. Whatever is said has
come everywhere when it is next asked what was heard.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from twisted.internet.task import Clock

from tests.doubles import Heard
from tests.pusher.relayed import channel_data
from tests.rules.nodes import Nodes, nodes
from tests.signing import APP
from tests.visitor import Visitor
from wsrelay.config.settings import Settings
from wsrelay.core.errors import Code
from wsrelay.core.rules import Rule


class OverNodes:
    """In place of a ``Relayed``."""

    def __init__(self, found: Nodes, timer: Clock) -> None:
        self._nodes = found
        self._timer = timer
        self._turns = cycle(range(len(found.servers)))
        self.clock = self.tally = self

    def connect(self) -> ClientOfNode:
        self._nodes.at = next(self._turns)
        return ClientOfNode(self._nodes, self._nodes.guest())

    # -- the clock of all nodes ------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        self._timer.advance(seconds)
        self._nodes.advance(seconds)
        self._nodes.settle()

    def pump(self, steps: list[float]) -> None:
        for seconds in steps:
            self.advance(seconds)

    # -- what they have counted together ---------------------------------------------------

    def __getattr__(self, counted: str) -> int:
        return sum(getattr(server.service.tally, counted) for server in self._nodes.servers)

    def rejected(self, code: Code) -> int:
        return sum(server.service.tally.rejected(code) for server in self._nodes.servers)


class ClientOfNode:
    """In place of a ``Client``."""

    def __init__(self, found: Nodes, visitor: Visitor) -> None:
        self._nodes = found
        self._visitor = visitor
        self.socket_id = visitor.socket_id

    def subscribe(self, channel: str, data: str | None = None) -> None:
        self._visitor.subscribe(channel, data)
        self._nodes.settle()

    def join(self, channel: str, user_id: str) -> None:
        self.subscribe(channel, channel_data(user_id))

    def unsubscribe(self, channel: str) -> None:
        self._visitor.leave(channel)
        self._nodes.settle()

    def whisper(self, channel: str, data: Any = "x", event: str = "client-said") -> None:
        self._visitor.whisper(channel, data, event)
        self._nodes.settle()

    def vanish(self) -> None:
        self._visitor.line.hang_up()
        self._nodes.settle()

    def heard(self) -> list[Heard]:
        return self._visitor.take()


@contextmanager
def over_nodes(rule: Rule, rate: float) -> Iterator[OverNodes]:
    app = replace(APP, rules=(rule,), client_event_rate=rate)
    clock = Clock()
    with (
        patch("wsrelay.service.time", SimpleNamespace(monotonic=clock.seconds, time=time.time)),
        nodes(Settings(apps=(app,))) as found,
    ):
        yield OverNodes(found, clock)
