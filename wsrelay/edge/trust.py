"""Which proxies are believed, and whom they say they speak for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

#: What stands for whoever connects to a Unix socket.
UNIX = "unix"
#: Proxies in a row that are believed.
MOST_HOPS = 16

#: ``192.0.2.1``, ``192.0.2.1:50412``, ``2001:db8::1``, ``[2001:db8::1]``, ``[2001:db8::1]:50412``.
_parts_of = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?\Z|([\d.]+):(\d{1,5})\Z").match
_is_plain = re.compile(r"[0-9A-Fa-f:.]+\Z").match
_x_forwarded_for = re.compile(rb"\r\nx-forwarded-for:([^\r]*)", re.IGNORECASE).findall


class Trusted:
    """The proxies whose word is taken, by address, network (CIDR), or ``unix``.

    Raises ``ValueError`` for what is none of these.
    """

    def __init__(self, places: Iterable[str]) -> None:
        places = set(places)
        self._has_unix = UNIX in places
        self._networks = [ip_network(place) for place in places - {UNIX}]
        #: Few proxies, asked about at every connection.
        self._holds = lru_cache(maxsize=1024)(self._is_in_a_network)

    def __bool__(self) -> bool:
        return self._has_unix or bool(self._networks)

    def holds(self, host: str) -> bool:
        """Whether the proxy at this address, or ``unix``, is one of them."""
        return self._has_unix if host == UNIX else self._holds(host)

    def _is_in_a_network(self, host: str) -> bool:
        try:
            address = plain(ip_address(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def client(self, peer: str, forwarded: str) -> str:
        """Whom a connection of ``peer`` speaks for, after its ``X-Forwarded-For``.

        Each proxy has added, on the right, whom it was connected to; so from there on one is
        believed after the other, and the first who is not a trusted proxy is the client. What
        stands further left is only what he says himself. ``peer`` and the result are names of
        the log: ``192.0.2.7:50412``, ``[2001:db8::1]:50412``, without the port where nobody
        says it.
        """
        if not forwarded or not self.holds(host_of(peer)):
            return peer
        for hop in reversed(forwarded.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
            named = _name(hop.strip(" \t"))
            if named is None:
                break
            peer = named
            if not self.holds(host_of(peer)):
                break
        return peer

    def asker(self, connection: Any, head: bytes) -> str:
        """Whom a request on this connection is of; what stands behind its head is no matter."""
        peer = name_of_peer(connection.getPeer())
        return self.client(peer, forwarded_for(head.partition(b"\r\n\r\n")[0])) if self else peer


def forwarded_for(head: bytes) -> str:
    """All ``X-Forwarded-For`` of a request's head, which is as it came, in their order."""
    return b",".join(_x_forwarded_for(head)).decode("latin-1")


def host_of(peer: str) -> str:
    """The address alone, of a client as the log names him; ``unix`` is itself."""
    host, _, port = peer.rpartition(":")
    return (host if port.isdigit() else peer).strip("[]")


def name_of_peer(address: Any) -> str:
    """As the log names whoever a transport says is its peer: ``unix`` if he has no address."""
    host = getattr(address, "host", None)
    if host is None:
        return UNIX
    if ":" in host and not host.startswith("::ffff:"):
        return f"[{host}]:{address.port}"
    return f"{host.removeprefix('::ffff:')}:{address.port}"  # see plain


def plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """IPv4 as such also where a socket for both kinds tells it as IPv6 (RFC 4291, 2.5.5.2)."""
    return getattr(address, "ipv4_mapped", None) or address


def name_of(address: IPv4Address | IPv6Address, port: int | str | None = None) -> str:
    """As the log names a client."""
    address = plain(address)
    host = f"[{address}]" if address.version == 6 else str(address)
    return host if port is None else f"{host}:{port}"


def _name(hop: str) -> str | None:
    """One entry of ``X-Forwarded-For``, ``None`` if it is no address."""
    parts = _parts_of(hop)
    host, port = (parts[1] or parts[3], parts[2] or parts[4]) if parts else (hop, None)
    if not _is_plain(host):
        return None
    try:
        return name_of(ip_address(host), port)
    except ValueError:
        return None
