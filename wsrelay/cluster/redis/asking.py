"""Asking a node of a Redis Cluster who has which slot, on a connection for that question alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from .address import Address
from .slots import Host, owners
from .wire import Wire

#: Seconds that an answer may take.
PATIENCE = 3.0


class Asking:
    """One question at a time."""

    def __init__(
        self,
        reactor: Any,
        address: Address,
        endpoint: Callable[[str, int], IStreamClientEndpoint],
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._endpoint = endpoint
        self._attempt: Deferred[Any] | None = None
        self._wire: Wire | None = None

    def stop(self) -> None:
        if self._attempt is not None:
            self._attempt.cancel()
        if self._wire is not None:
            self._wire.fail("the relay is stopping")

    async def ask(self, host: Host) -> tuple[list[Host | None], bool]:
        """The map, and whether pub/sub may be sharded. Raises what goes wrong."""
        wire = Wire()
        self._attempt = wire.reach(self._endpoint(*host))
        try:
            await self._attempt
        finally:
            self._attempt = None
        self._wire = wire
        words = f"no answer within {PATIENCE:g} s"
        deadline = self._reactor.callLater(PATIENCE, wire.fail, words)
        try:
            if self._address.credentials:
                await wire.call("AUTH", *self._address.credentials)
            found = owners(await wire.call("CLUSTER", "SLOTS"), host[0])
            known = await wire.call("COMMAND", "INFO", "SPUBLISH")
        finally:
            if deadline.active():
                deadline.cancel()
            wire.fail("asked")
        return found, bool(known and known[0])
