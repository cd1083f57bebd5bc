"""Asking sentinels where the master is, before every connection and once a second: so a failover
is followed.

All of them are asked at once, and the newest configuration counts, as among themselves: one that
has not led a failover learns of it up to two seconds later (7.0), and nodes that asked different
ones would be linked to different masters. A master that was replaced while it was paused or cut
off takes itself for one until the sentinels set it back, which takes them eight seconds and more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from zope.interface import implementer

from .address import Address
from .wire import Unreachable, Wire

#: Seconds that a sentinel may take to answer: less than a third of what a link gives itself to
#: come up, which asks twice.
PATIENCE = 0.9


@implementer(IStreamClientEndpoint)
class SentinelEndpoint:
    """Connects to the master that the sentinels name."""

    def __init__(
        self,
        reactor: Any,
        address: Address,
        endpoint: Callable[[str, int], IStreamClientEndpoint],
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._endpoint = endpoint
        #: The master that was connected to last.
        self._named = ("", 0)

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        self._named = await self._master()
        return await self._endpoint(*self._named).connect(factory)

    async def is_right(self) -> bool:
        """Whether the master connected to last is still the one. Raises ``Unreachable``."""
        return await self._master() == self._named

    async def _master(self) -> tuple[str, int]:
        """Raises ``Unreachable``."""
        asked = [
            Deferred.fromCoroutine(self._asked(*each)).addTimeout(PATIENCE, self._reactor)
            for each in self._address.hosts
        ]
        named: list[tuple[int, tuple[str, int]]] = []
        reasons: list[str] = []
        answers: Any = await DeferredList(asked, consumeErrors=True)
        for (host, port), (is_told, answer) in zip(self._address.hosts, answers, strict=True):
            if is_told:
                named.append(answer)
            elif answer.check(TimeoutError):
                reasons.append(f"{host}:{port}: silent for {PATIENCE:g} s")
            else:
                reasons.append(f"{host}:{port}: {answer.getErrorMessage()}")
        if not named:
            raise Unreachable("no sentinel answers: " + "; ".join(reasons))
        epoch, master = max(named)
        if epoch < 0:
            raise Unreachable(f"the sentinels know no master {self._address.master!r}")
        return master

    async def _asked(self, host: str, port: int) -> tuple[int, tuple[str, int]]:
        """The epoch of a sentinel's configuration, and the master; -1 when it knows none."""
        wire = Wire(_ignore, _ignore)
        factory = Factory.forProtocol(lambda: wire)
        factory.noisy = False
        await self._endpoint(host, port).connect(factory)
        name = self._address.master
        try:
            if self._address.sentinel_password:
                await wire.call("AUTH", self._address.sentinel_password)
            found = await wire.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
            if found is None:
                return -1, ("", 0)
            told = await wire.call("SENTINEL", "MASTER", name)
        finally:
            wire.fail("asked")
        epoch = dict(zip(told[::2], told[1::2], strict=True))[b"config-epoch"]
        return int(epoch), (found[0].decode(), int(found[1]))


def _ignore(reason: str) -> None:
    pass
