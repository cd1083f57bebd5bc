"""Client frames put together byte by byte (RFC 6455, 5.2), the wrong ones too; and read back."""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

#: What ends every flush of a compressor, and is left out on the wire (RFC 7692, 7.2.1).
TAIL = b"\x00\x00\xff\xff"

MASK = b"\x11\x22\x33\x44"


def frame(
    payload: bytes = b"",
    opcode: int = TEXT,
    *,
    is_final: bool = True,
    reserved_bits: int = 0,
    mask: bytes | None = MASK,
    length_bytes: int | None = None,
) -> bytes:
    """One frame. ``length_bytes`` (0, 2 or 8) is how long the extended length is to be."""
    length = len(payload)
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 65536 else 8
    short = {0: length, 2: 126, 8: 127}[length_bytes]
    head = bytes([is_final << 7 | reserved_bits << 4 | opcode, (mask is not None) << 7 | short])
    head += length.to_bytes(length_bytes, "big") if length_bytes else b""
    if mask is None:
        return head + payload
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return head + mask + masked


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(code.to_bytes(2, "big") + reason, CLOSE)


def say(event: str, **rest: Any) -> bytes:
    """A message in one frame."""
    return frame(json.dumps({"event": event, **rest}).encode())


def compressed(payload: bytes, window: int = 15) -> bytes:
    """As a client compresses it: one flush, without its tail (RFC 7692, 7.2.1)."""
    compressor = zlib.compressobj(wbits=-window)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert data.endswith(TAIL)
    return data.removesuffix(TAIL)


def inflated(data: bytes, window: int = 15) -> bytes:
    """What a client with such a window reads in a compressed message."""
    inflater = zlib.decompressobj(-window)
    # In small pieces: within one, zlib (1.2.13) looks back farther than the window.
    pieces = [inflater.decompress(data + TAIL, 100)]
    while pieces[-1]:
        pieces.append(inflater.decompress(inflater.unconsumed_tail, 100))
    return b"".join(pieces)


class Sent(NamedTuple):
    """A frame of the server's."""

    opcode: int
    payload: bytes
    is_compressed: bool = False

    @property
    def close_code(self) -> int:
        assert self.opcode == CLOSE
        return int.from_bytes(self.payload[:2], "big")


def read_frames(data: bytes) -> list[Sent]:
    """The server's frames in ``data``, which has to hold whole, final, unmasked frames only."""
    frames = []
    while data:
        assert data[0] & 0xB0 == 0x80, f"not a final frame without strange bits: {data[:20]!r}"
        is_compressed = bool(data[0] & 0x40)
        assert not data[1] & 0x80, "a server must not mask (RFC 6455, 5.1)"
        length, head = data[1], 2
        if length == 126:
            length, head = int.from_bytes(data[2:4], "big"), 4
            assert length >= 126
        elif length == 127:
            length, head = int.from_bytes(data[2:10], "big"), 10
            assert length >= 65536
        assert len(data) >= head + length, "half a frame"
        frames.append(Sent(data[0] & 0x0F, data[head : head + length], is_compressed))
        data = data[head + length :]
    return frames
