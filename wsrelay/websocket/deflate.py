"""permessage-deflate (RFC 7692): what is agreed upon, and one compressed frame for all receivers.

Neither side may take its compression context over into the next message. So a compressed frame
means the same to every client that agreed on the same window, and is built once however many
receive it; no client costs the memory of a compressor; and nothing can be learnt about one
message from the length of another.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

from ..core.frame import Frame
from .outbox import Outbox
from .wire import data_frame, wire_of

#: A third of the time that zlib's usual 6 takes for great messages, and 2 to 8 % more bytes.
LEVEL = 2
#: A compressor for messages of so many bytes sees all of them through a window of 12 bits, and
#: is made in a fifth of the time: its memory, which is cleared first, is 36 KB and not 268.
SMALL, SMALL_WINDOW, SMALL_MEMORY = 3800, 12, 5
#: RSV1 in the first byte of a frame: this message is compressed (RFC 7692, 6).
_COMPRESSED = 0x40
#: What ends every flush, and is left out on the wire (RFC 7692, 7.2.1).
_TAIL = b"\x00\x00\xff\xff"

#: An extension's name and parameters, as Autobahn reads them from a handshake.
Extension = tuple[str, dict[str, Any]]


class Agreement(PerMessageDeflateOfferAccept):
    """What the server answers to an offer: no context is taken over, in either direction."""

    def __init__(self, offer: PerMessageDeflateOffer) -> None:
        super().__init__(offer, request_no_context_takeover=True, no_context_takeover=True)

    def get_extension_string(self) -> str:
        # Autobahn (26.10.2) promises this only to clients that asked for it. The others would
        # keep a window of 32 KB for nothing.
        answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        if self.offer.request_max_window_bits:
            answer += f"; server_max_window_bits={self.offer.request_max_window_bits}"
        return answer


def agreed(offers: Sequence[object]) -> Agreement | None:
    """The answer to the first offer that can be taken."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return Agreement(offer)
    return None


def acceptable(extensions: Iterable[Extension]) -> list[Extension]:
    """The offers that can be taken.

    Any other is to be declined (RFC 7692, 7); Autobahn (26.10.2) refuses the whole handshake.
    """
    found = []
    for name, parameters in extensions:
        if name == PerMessageDeflateOffer.EXTENSION_NAME:
            try:
                PerMessageDeflateOffer.parse(parameters)
            except Exception:  # Autobahn raises nothing more special
                continue
            found.append((name, parameters))
    return found


def deflated(frame: Frame, window: int) -> bytes:
    """The frame's bytes on the wire for clients that agreed on this window (9 to 15 bits).

    Built by whoever needs them first.
    """
    if frame.deflated is None:
        frame.deflated = {}
    wire = frame.deflated.get(window)
    if wire is None:
        first = wire_of(frame)[0] | _COMPRESSED
        wire = frame.deflated[window] = data_frame(_compressed(frame.payload, window), first)
    return wire


def _compressed(payload: bytes, window: int) -> bytes:
    if len(payload) <= SMALL:
        compressor = zlib.compressobj(
            LEVEL, wbits=-min(window, SMALL_WINDOW), memLevel=SMALL_MEMORY
        )
    else:
        compressor = zlib.compressobj(LEVEL, wbits=-window)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(_TAIL)]


class DeflatingOutbox(Outbox):
    """The outbox of a client that agreed on compression."""

    __slots__ = ("_window",)

    def __init__(self, window: int, *args: Any) -> None:
        super().__init__(*args)
        self._window = window

    def send(self, frame: Frame) -> None:
        waiting = self._waiting
        if not waiting:
            self._turn.add(self)
        known = frame.deflated
        waiting.append((known and known.get(self._window)) or deflated(frame, self._window))

    def _wire_of(self, frame: Frame) -> bytes:
        return deflated(frame, self._window)
