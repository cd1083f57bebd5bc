"""Several nodes in this process on one real Redis, and clients of each."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from msgspec import structs

from tests.loopback import LoopbackTestCase, reactor
from tests.servers import RedisServer
from tests.signing import APP
from tests.visitor import Visitor
from wsrelay.config.settings import Settings
from wsrelay.core.apps import Secret
from wsrelay.service import RelayService


class NodesTestCase(LoopbackTestCase):
    """``self.relay`` is the first node; others are made by ``node``."""

    timeout = 20
    redis: RedisServer
    url = ""
    settings = Settings(apps=(structs.replace(APP, client_event_rate=0),), host="127.0.0.1", port=0)

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = RedisServer()
        cls.redis.start()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.redis.remove()

    async def setUp(self) -> None:
        self.redis.ask("FLUSHALL")
        self.settings = structs.replace(self.settings, redis=Secret(self.url or self.redis.url))
        self.others: list[RelayService] = []
        await super().setUp()
        await self.until(lambda: self.relay.readiness.is_ready)
        self.ports = {id(self.relay): self.port}

    async def tearDown(self) -> None:
        for each in self._clients:
            each.transport.abortConnection()
        first = self.port
        for other in self.others:
            self.port = self.ports[id(other)]
            while self.of_server_sockets(socket.socket.fileno):
                await self.a_turn()
            if other.running:
                await other.stopService()
        self.port = first
        await super().tearDown()

    async def until(self, is_so: Callable[[], Any]) -> None:
        while not is_so():
            await self.a_turn()

    async def node(self, *, is_awaited: bool = True, **settings: Any) -> RelayService:
        """One more node, ready unless that is not waited for."""
        other = RelayService(structs.replace(self.settings, **settings), reactor)
        other.privilegedStartService()
        other.startService()
        self.others.append(other)
        self.ports[id(other)] = other._ports[0].getHost().port
        if is_awaited:
            await self.until(lambda: other.readiness.is_ready)
        return other

    async def visitor_of(self, node: RelayService) -> Visitor:
        """A visitor who has been welcomed."""
        self.port, first = self.ports[id(node)], self.port
        try:
            visitor = await self.visitor()
        finally:
            self.port = first
        await visitor.welcome()
        return visitor
