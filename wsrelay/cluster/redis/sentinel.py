"""Asking sentinels where the master is, before every connection and once a second: so a failover
is followed.

All of them are asked at once, and the newest configuration counts, as among themselves: one that
has not led a failover learns of it up to two seconds later (7.0), and nodes that asked different
ones would be linked to different masters. A master that was replaced while it was paused or cut
off takes itself for one until the sentinels set it back, which takes them eight seconds and more.
And while they are about to replace it, nodes learn of the new one at different moments, so that in
the meantime it is not known which is the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from .address import Address
from .wire import Unreachable, Wire

#: Seconds that a sentinel may take to answer: less than a third of what a link gives itself to
#: come up, which asks twice.
PATIENCE = 0.9

Host = tuple[str, int]
#: What a sentinel tells: its configuration's epoch (-1: it knows none), the master, and its state.
_Told = tuple[int, Host, str]


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
        self._named, _ = await self._master()
        return await self._endpoint(*self._named).connect(factory)

    async def is_right(self) -> bool | None:
        """Whether the master connected to last is still the one; ``None`` while it may be replaced.

        Raises ``Unreachable``.
        """
        master, is_doubted = await self._master()
        if master != self._named:
            return False
        return None if is_doubted else True

    async def _master(self) -> tuple[Host, bool]:
        """The master, and whether they may replace it. Raises ``Unreachable``."""
        asked = [
            Deferred.fromCoroutine(self._asked(*each)).addTimeout(PATIENCE, self._reactor)
            for each in self._address.hosts
        ]
        named: list[_Told] = []
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
        epoch, master, _ = max(named)
        if epoch < 0:
            raise Unreachable(f"the sentinels know no master {self._address.master!r}")
        return master, _is_doubted([flags for _, _, flags in named])

    async def _asked(self, host: str, port: int) -> _Told:
        wire = Wire()
        await wire.reach(self._endpoint(host, port))
        name = self._address.master
        try:
            if self._address.sentinel_password:
                await wire.call("AUTH", self._address.sentinel_password)
            found = await wire.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
            if found is None:
                return -1, ("", 0), ""
            told = await wire.call("SENTINEL", "MASTER", name)
        finally:
            wire.fail("asked")
        state = dict(zip(told[::2], told[1::2], strict=True))
        master = found[0].decode(), int(found[1])
        return int(state[b"config-epoch"]), master, state[b"flags"].decode()


def _is_doubted(flags: Sequence[str]) -> bool:
    """By what the sentinels say of the master (``SENTINEL MASTER``). One alone may err."""
    if any("o_down" in each or "failover_in_progress" in each for each in flags):
        return True
    return 2 * sum("s_down" in each for each in flags) > len(flags)
