"""How many connections one address may have open, and how many it may make in a second.

Off unless configured: behind a proxy that does not say whom it speaks for, everybody comes from
one address. Of IPv6 a whole /64 counts as one: that is what a single customer is given (RFC 6177).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address

from .errors import Code, ConnectionRefused
from .limits import TokenBucket

#: Addresses whose pace is remembered; past it those who paused longest are forgotten.
MOST_REMEMBERED = 10_000


class Visitors:
    """The addresses that connections come from. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], most_open: int = 0, rate: float = 0) -> None:
        self._clock = clock
        self.limit(most_open, rate, ())

    def limit(self, most_open: int, rate: float, present: Iterable[str]) -> None:
        """Count by these limits from now on; ``present`` is the address of each who is there."""
        self._most_open = most_open
        self._rate = rate
        self._open: dict[str, int] = dict(Counter(map(_customer, present))) if most_open else {}
        #: In order of the last visit, the longest ago first.
        self._paces: dict[str, TokenBucket] = {}

    def arrive(self, address: str) -> None:
        """Count one more; raise ``ConnectionRefused`` (4100) when that is too many."""
        address = _customer(address)
        if self._rate and not self._keeps_pace(address):
            raise ConnectionRefused(
                Code.OVER_CAPACITY,
                f"more than {self._rate:g} connections a second from your address "
                "(connection_rate_per_ip)",
            )
        if self._most_open:
            count = self._open.get(address, 0)
            if count >= self._most_open:
                raise ConnectionRefused(
                    Code.OVER_CAPACITY,
                    f"your address has {self._most_open} connections open, its limit "
                    "(max_connections_per_ip)",
                )
            self._open[address] = count + 1

    def leave(self, address: str) -> None:
        """Undo one ``arrive`` that did not raise."""
        address = _customer(address)
        count = self._open.pop(address, 0)
        if count > 1:
            self._open[address] = count - 1

    def _keeps_pace(self, address: str) -> bool:
        now = self._clock()
        pace = self._paces.pop(address, None) or TokenBucket(self._rate, now)
        self._paces[address] = pace
        if len(self._paces) > MOST_REMEMBERED:
            del self._paces[next(iter(self._paces))]
        return pace.admits(now)

    def __len__(self) -> int:
        """Addresses with a connection open; only counted where there is a limit."""
        return len(self._open)


def _customer(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address)
    except ValueError:  # what a proxy wrote down
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.exploded[:19] + "::/64"
