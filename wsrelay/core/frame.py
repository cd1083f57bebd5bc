"""One message on its way out, encoded once however many receive it."""

from __future__ import annotations


class Frame:
    """A message's JSON text (UTF-8) and, once somebody needs them, its bytes on the wire.

    The doors fill ``wire`` (RFC 6455, 5.2) the first time a subscriber is sent this frame;
    from then on every subscriber of this node is given the very same bytes object. So it is
    with ``deflated``, by the window for which they are compressed (RFC 7692).
    """

    __slots__ = ("deflated", "payload", "wire")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.wire: bytes | None = None
        self.deflated: dict[int, bytes] | None = None

    def __repr__(self) -> str:
        return f"<Frame of {len(self.payload)} bytes>"
