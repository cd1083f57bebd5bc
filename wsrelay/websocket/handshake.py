"""The common handshake (RFC 6455, 4.2), read and answered in a few microseconds.

As with frames: what is plainly written is read here, and whatever is not is Autobahn's, so that
every refusal and every extension stays Autobahn's. Its own road takes 80 microseconds.
"""

from __future__ import annotations

import hashlib
import re
from binascii import b2a_base64

from msgspec import Struct

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_is_key = re.compile(rb"[A-Za-z0-9+/]{22}==\Z").match
_is_host = re.compile(rb"[A-Za-z0-9._\-]+(:[0-9]{1,5})?\Z").match
_is_name = re.compile(rb"[A-Za-z0-9\-]+\Z").match

#: Fields that this reading needs, each once.
_NEEDED = (b"host", b"upgrade", b"connection", b"sec-websocket-version", b"sec-websocket-key")
#: Fields that change the answer in ways that are Autobahn's to know.
_UNCOMMON = frozenset((b"sec-websocket-protocol", b"content-length", b"transfer-encoding"))


class Handshake(Struct, frozen=True):
    """A request for a WebSocket that there is nothing to say against."""

    #: Raw: escaped, with the query.
    target: str
    #: The ``Origin`` header, empty when there is none.
    origin: str
    key: bytes


def take_handshake(data: bytes, *, takes_extensions: bool) -> tuple[Handshake, int] | None:
    """The common handshake that ``data`` begins with, and where it ends.

    ``None`` when it is not a common one, or when extensions are offered and may be taken.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    start_line, *lines = data[:end].split(b"\r\n")
    parts = start_line.split(b" ")
    if len(parts) != 3 or parts[0] != b"GET" or parts[2] != b"HTTP/1.1":
        return None
    target = parts[1]
    if not target.isascii() or not target.startswith(b"/") or b"#" in target:
        return None
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or not _is_name(name) or name in fields or name in _UNCOMMON:
            return None
        fields[name] = value.strip()
    if takes_extensions and b"sec-websocket-extensions" in fields:
        return None
    try:
        host, upgrade, connection, version, key = [fields[name] for name in _NEEDED]
        origin = fields.get(b"origin", b"").decode("ascii")
    except (KeyError, UnicodeDecodeError):
        return None
    if (
        version != b"13"
        or upgrade.lower() != b"websocket"
        or connection.lower() not in (b"upgrade", b"keep-alive, upgrade")
        or not _is_key(key)
        or not _is_host(host)
        or int(host.partition(b":")[2] or 0) > 65535
    ):
        return None
    return Handshake(target.decode(), origin, key), end + 4


def response(key: bytes) -> bytes:
    """101, with the proof that the key was read (RFC 6455, 4.2.2)."""
    accept = b2a_base64(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest(), newline=False)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
