"""PROXY headers as proxies write them."""

from __future__ import annotations

from ipaddress import ip_address
from struct import pack

V2 = bytes.fromhex("0d0a0d0a000d0a515549540a")
#: What health checks of HAProxy send.
LOCAL = V2 + bytes.fromhex("20000000")


def v1(source: str, port: int = 50412, target: str = "", target_port: int = 6001) -> bytes:
    version = ip_address(source).version
    target = target or {4: "192.0.2.200", 6: "2001:db8::200"}[version]
    kind = {4: "TCP4", 6: "TCP6"}[version]
    return f"PROXY {kind} {source} {target} {port} {target_port}\r\n".encode()


def v2(source: str, port: int = 50412, extra: bytes = b"") -> bytes:
    """``extra``: type-length-values behind the addresses."""
    address = ip_address(source)
    body = address.packed * 2 + pack("!HH", port, 6001) + extra
    return V2 + pack("!BBH", 0x21, {4: 0x11, 6: 0x21}[address.version], len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    return pack("!BH", kind, len(value)) + value
