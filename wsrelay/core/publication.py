"""What is published: one frame for one channel of one app."""

from __future__ import annotations

from msgspec import Struct

from .frame import Frame


class Whisper(Struct, frozen=True, gc=False, array_like=True):
    """What rules need to know of a client event, on every node that delivers it.

    The sender's node has judged it and read its data once; a bus carries this beside the frame.
    """

    event: str
    socket_id: str
    #: Who the sender is, on presence channels.
    user_id: str | None = None
    #: The user id or socket id of the one member who is to get it; ``None``: all.
    to: str | None = None
    #: Where the sender says he is, on channels with proximity.
    at: tuple[float, float] | None = None


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
    #: Only of client events on channels with rules; without it everybody gets it.
    whisper: Whisper | None = None
    #: Only of the word that a user has left a presence channel, for good and on all nodes.
    gone: str | None = None
    #: The node that it comes from; ``None``: this one.
    origin: str | None = None
