"""Which IP addresses a webhook may be sent to.

Whoever may set a webhook's URL could otherwise make the relay knock at doors that only it can
reach: services on loopback, the office network, a cloud's metadata address. What is judged is the
address that is then connected to, never the name, which may point elsewhere the next time.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

#: RFC 6052: IPv4 addresses as an IPv6-only network shows them.
_NAT64 = ip_network("64:ff9b::/96")
#: RFC 6598: behind a carrier's NAT.
_SHARED = ip_network("100.64.0.0/10")


def refusal_of(address: str) -> str | None:
    """What kind of address it is that may not be connected to; ``None`` when it may.

    Raises ``ValueError`` for a text that is no IP address.
    """
    ip = _embedded(ip_address(address))
    if ip.is_unspecified:
        return "unspecified"
    if ip.is_loopback:
        return "loopback"
    if ip.is_link_local:
        return "link-local"
    if ip.is_multicast:
        return "multicast"
    if isinstance(ip, IPv4Address) and ip in _SHARED:
        return "shared"
    if ip.is_private or (isinstance(ip, IPv6Address) and ip.is_site_local):
        return "private"
    if ip.is_reserved or not ip.is_global:
        return "reserved"
    return None


def _embedded(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for: mapped, 6to4 (RFC 3056) or NAT64."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
