"""Asking sentinels where the master is, before every connection: so a failover is followed.

Who is left connected to a master that was set back is told by Redis itself: sentinels have it
close the connections, and it refuses what this node writes twice a second (``leases``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from zope.interface import implementer

from .address import Address
from .wire import Unreachable, Wire


@implementer(IStreamClientEndpoint)
class SentinelEndpoint:
    """Connects to the master that the first sentinel to answer names."""

    def __init__(
        self, address: Address, endpoint: Callable[[str, int], IStreamClientEndpoint]
    ) -> None:
        self._address = address
        self._endpoint = endpoint
        #: The one that answered last is asked first.
        self._sentinels = list(address.hosts)

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: Any) -> Any:
        host, port = await self._master()
        return await self._endpoint(host, port).connect(factory)

    async def _master(self) -> tuple[str, int]:
        """Raises ``Unreachable``."""
        reasons = []
        for sentinel in list(self._sentinels):
            try:
                found = await self._asked(*sentinel)
            except Exception as error:
                reasons.append(f"{sentinel[0]}:{sentinel[1]}: {error}")
                continue
            self._sentinels.remove(sentinel)
            self._sentinels.insert(0, sentinel)
            if found is None:
                raise Unreachable(f"the sentinels know no master {self._address.master!r}")
            return found[0].decode(), int(found[1])
        raise Unreachable("no sentinel answers: " + "; ".join(reasons))

    async def _asked(self, host: str, port: int) -> Any:
        wire = Wire(_ignore, _ignore)
        factory = Factory.forProtocol(lambda: wire)
        factory.noisy = False
        await self._endpoint(host, port).connect(factory)
        try:
            if self._address.sentinel_password:
                await wire.call("AUTH", self._address.sentinel_password)
            asking: Awaitable[Any] = wire.call(
                "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.master
            )
            return await asking
        finally:
            wire.fail("asked")


def _ignore(reason: str) -> None:
    pass
