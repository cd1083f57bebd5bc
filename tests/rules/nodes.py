"""Several whole servers in memory, on one Redis that moves when the test says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest.mock import patch

from msgspec.structs import replace

from tests.cluster.redis.exchange import Exchange, MemoryLink
from tests.memory import Server, running
from tests.visitor import Visitor
from wsrelay.config.settings import Settings
from wsrelay.core.apps import Secret


class Nodes:
    """Used as one ``Server``; guests come to the node ``at``."""

    def __init__(self, exchange: Exchange, servers: list[Server]) -> None:
        self.exchange = exchange
        self.servers = servers
        self.at = 0

    def guest(self) -> Visitor:
        return self.servers[self.at].guest()

    def turn(self) -> None:
        self.advance(0)

    def advance(self, seconds: float) -> None:
        for server in self.servers:
            server.advance(seconds)

    def settle(self) -> None:
        """Until nothing is on its way between the nodes."""
        self.turn()
        while self.exchange.run():
            self.turn()


@contextmanager
def nodes(settings: Settings, many: int = 2) -> Iterator[Nodes]:
    exchange = Exchange()
    settings = replace(settings, redis=Secret("redis://127.0.0.1"))
    with ExitStack() as stack:
        stack.enter_context(patch("wsrelay.cluster.redis.room.Link", partial(MemoryLink, exchange)))
        found = Nodes(exchange, [stack.enter_context(running(settings)) for _ in range(many)])
        found.settle()
        found.advance(5)
        found.settle()
        yield found
