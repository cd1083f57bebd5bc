"""What is published: one frame for one channel of one app."""

from __future__ import annotations

from msgspec import Struct

from .frame import Frame


class Publication(Struct, frozen=True, gc=False):
    """One event for everybody who is subscribed to a channel, on whichever node.

    A msgspec Struct and not a dataclass: one is made for every client event, and a frozen
    dataclass takes five times as long to make.
    """

    app_id: str
    channel: str
    frame: Frame
    #: The connection that does not get it: the sender of a client event, or ``toOthers()``.
    excluded_socket_id: str | None = None
