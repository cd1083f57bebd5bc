"""The header in which a proxy says whom it speaks for, versions 1 and 2.

After HAProxy's "The PROXY protocol" (proxy-protocol.txt), sections 2.1 and 2.2. Twisted has one as
well (``haproxy:``, 26.10), which closes a connection whose header comes in pieces, takes any text
for an address, and stays between transport and protocol for as long as they live.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import Struct as Layout

from msgspec import Struct

Address = IPv4Address | IPv6Address

#: Bytes of a version 1 header, with its CRLF.
LONGEST_V1 = 107

_V1 = b"PROXY "
_V2 = b"\r\n\r\n\0\r\nQUIT\n"
#: Signature, version and command, family and transport, length of the rest.
_v2_head = Layout("!12sBBH")
_LOCAL, _PROXY = 0x20, 0x21
_ports = Layout("!HH")


class Source(Struct, frozen=True):
    """Where a connection to the proxy came from."""

    host: Address
    port: int


class Header(Struct, frozen=True):
    #: ``None`` when the proxy speaks for itself (its health checks), or does not know.
    source: Source | None
    #: Bytes of the header; what follows is the client's.
    length: int


class Malformed(ValueError):
    """The connection does not begin with a PROXY header."""


def take_header(data: bytes) -> Header | None:
    """The header that ``data`` begins with, ``None`` while there is too little of it.

    Raises ``Malformed`` as soon as nothing that may follow could make it one.
    """
    if data.startswith(_V1[: len(data)]):
        return _take_v1(data)
    if data.startswith(_V2[: len(data)]):
        return _take_v2(data)
    raise Malformed("it does not begin with a PROXY header")


def _take_v1(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, LONGEST_V1)
    if end < 0:
        if len(data) >= LONGEST_V1:
            raise Malformed(f"no end of the PROXY line within {LONGEST_V1} bytes")
        return None
    _, family, *rest = data[:end].split(b" ")
    if family == b"UNKNOWN":
        return Header(None, end + 2)
    kinds: dict[bytes, type[Address]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
    if family not in kinds or len(rest) != 4:
        raise Malformed("the PROXY line is not: TCP4 or TCP6, two addresses, two ports")
    try:
        source, _ = (kinds[family](each.decode("ascii")) for each in rest[:2])
        port, _ = map(_port, rest[2:])
    except ValueError as error:
        raise Malformed("an address or port of the PROXY line is none") from error
    if isinstance(source, IPv6Address) and source.scope_id:
        raise Malformed("an address of the PROXY line is of one machine only")
    return Header(Source(source, port), end + 2)


def _port(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 5 or int(digits) > 65535:
        raise ValueError(digits)
    return int(digits)


def _take_v2(data: bytes) -> Header | None:
    if len(data) < _v2_head.size:
        return None
    _, command, family, length = _v2_head.unpack_from(data)
    if command not in (_LOCAL, _PROXY):
        raise Malformed("neither LOCAL nor PROXY of version 2")
    end = _v2_head.size + length
    if len(data) < end:
        return None
    if command == _LOCAL:
        return Header(None, end)
    body = data[_v2_head.size : end]  # behind the addresses, more about the connection: not read
    if family == 0x11:
        return Header(_source(body, IPv4Address, 4), end)
    if family == 0x21:
        return Header(_source(body, IPv6Address, 16), end)
    if family in (0x00, 0x31):  # not known; a Unix socket of the proxy's own machine
        return Header(None, end)
    raise Malformed(f"the PROXY header is of no stream: family and transport 0x{family:02x}")


def _source(body: bytes, kind: type[Address], size: int) -> Source:
    """Two addresses of ``size`` bytes, then two ports; those of the client come first."""
    if len(body) < 2 * size + _ports.size:
        raise Malformed("the PROXY header is too short for its addresses")
    port, _ = _ports.unpack_from(body, 2 * size)
    return Source(kind(body[:size]), port)
