"""What a client can say, once it is understood."""

from __future__ import annotations

from msgspec import Struct


class Subscribe(Struct, frozen=True):
    channel: str
    #: ``KEY:HEX64``; empty or ``None`` when the client has nothing to show.
    auth: str | None = None
    #: The very characters that were signed; never re-serialised.
    channel_data: str | None = None


class Unsubscribe(Struct, frozen=True):
    channel: str


class SignIn(Struct, frozen=True):
    auth: str | None = None
    #: The very characters that were signed; returned unchanged.
    user_data: str | None = None


class User(Struct, frozen=True):
    """Who a connection has signed in as."""

    user_id: str
    #: Compact JSON text, ``null`` when absent.
    user_info: bytes = b"null"
    watchlist: tuple[str, ...] = ()


class Ping(Struct, frozen=True):
    pass


class ClientEvent(Struct, frozen=True):
    event: str
    channel: str
    #: JSON text as it came; empty when the client sent none.
    data: bytes


class Ignored(Struct, frozen=True):
    """A ``pusher:`` event that asks nothing of this server, such as ``pusher:pong``."""

    event: str


Message = Subscribe | Unsubscribe | SignIn | Ping | ClientEvent | Ignored
