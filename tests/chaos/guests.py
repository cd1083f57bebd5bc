"""A client that comes back whenever it is sent away, and keeps accounts."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.task import deferLater

from tests.chaos.accounts import Accounts, Stay
from tests.loopback import reactor
from tests.visitor import Message, Visitor, visitors

ROOM = "private-chaos"
HALL = "presence-chaos"


class Guest:
    """Is in a room and in a hall, on a node by chance."""

    def __init__(
        self, name: str, chance: Random, places: dict[int, tuple[str, int]], accounts: Accounts
    ) -> None:
        """``places`` are hosts and ports of the nodes that take clients."""
        self.name = name
        self._chance = chance
        self._places = places
        self._accounts = accounts
        #: Who is in the hall, as far as this client knows; ``None`` when it is not in.
        self.picture: set[str] | None = None
        self.node: int | None = None
        self.visitor: Visitor | None = None
        self.is_wanted = True

    async def live(self) -> None:
        while self.is_wanted:
            with suppress(Exception):  # refused, or cut off while it came in
                await self._visit()
            self.picture = self.node = None
            await deferLater(reactor, 0.1 + 0.4 * self._chance.random())

    async def _visit(self) -> None:
        self.node = self._chance.choice(sorted(self._places))
        endpoint = HostnameEndpoint(reactor, *self._places[self.node], timeout=2)
        visitor: Visitor = await endpoint.connect(visitors(reactor))
        self.visitor = visitor
        watchdog = reactor.callLater(8, visitor.transport.abortConnection)
        stay = None
        try:
            await visitor.is_open
            await visitor.welcome()
            await visitor.joined(ROOM)
            stay = Stay(self.node, reactor.seconds())
            self._accounts.stays.append(stay)
            visitor.subscribe(HALL, json.dumps({"user_id": self.name}))
            if watchdog.active():
                watchdog.cancel()
            while True:
                self._hear(stay, await visitor.next())
        finally:
            if stay is not None:
                stay.end = reactor.seconds()
            if watchdog.active():
                watchdog.cancel()
            visitor.transport.abortConnection()

    def _hear(self, stay: Stay, message: Message) -> None:
        name = message["event"]
        if name == "told":
            stay.heard.append(int(message["data"]))
            return
        data: Any = message.get("data")
        data = json.loads(data) if isinstance(data, str) else data
        if name == "pusher_internal:subscription_succeeded":
            self.picture = set(data["presence"]["ids"])
        elif name == "pusher_internal:member_added" and self.picture is not None:
            self.picture.add(data["user_id"])
        elif name == "pusher_internal:member_removed" and self.picture is not None:
            self.picture.discard(data["user_id"])

    def go(self) -> None:
        """Hang up without a word, and come back."""
        if self.visitor is not None:
            self.visitor.transport.abortConnection()

    def start(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.live())
