"""A test case in which requests are really made: senders, receivers, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.webhooks.receiver import DEADLINE, Receiver
from wsrelay.webhooks.sender import Sender


class Sending(TestCase):
    timeout = 2 * DEADLINE

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self._to_close: list[Callable[[], Any]] = []

    async def tearDown(self) -> None:
        for close in reversed(self._to_close):
            await close()
        # A connection that was closed is told so in the next turn of the reactor.
        await self.until(lambda: self.connections() == [])

    def receiver(self, **options: Any) -> Receiver:
        receiver = Receiver(self.reactor, **options)
        self._to_close.append(receiver.close)
        return receiver

    def sender(self, may_reach_private: bool = True, **options: Any) -> Sender:
        sender = Sender(self.reactor, may_reach_private=may_reach_private, **options)
        self._to_close.append(sender.close)
        return sender

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let the reactor turn until something is so; fail past the deadline."""
        ends = self.reactor.seconds() + DEADLINE
        while not is_so():
            assert self.reactor.seconds() < ends, "it never came to that"
            await deferLater(self.reactor, 0.001)

    def connections(self) -> list[tcp.Connection]:
        """This process's connections, of both ends."""
        return [one for one in self.reactor.getReaders() if isinstance(one, tcp.Connection)]
