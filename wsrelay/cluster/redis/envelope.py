"""What nodes write to one another: its form, held by a test.

msgpack arrays that begin with their kind. Old and new nodes understand each other by two rules:
a new field comes last and has a default, and a reader passes over fields it does not know; a new
meaning is a new kind, and a reader passes over (and counts) kinds it does not know. The names of
app and channel are in the name of Redis' channel.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ...core.publication import Whisper
from ...core.remarks import Remark


class Post(Struct, array_like=True, frozen=True):
    """One event: its JSON text, the connection that does not get it, and what rules need."""

    payload: bytes
    excluded_socket_id: str | None = None
    whisper: Whisper | None = None


class Posts(Struct, array_like=True, frozen=True, tag="p"):
    """What a node published to a channel in one turn."""

    #: The node that delivered them to its own subscribers already.
    origin: str
    #: Rises with every envelope of the node; and that of its last one to this channel, so that a
    #: gap is noticed. 0: the origin does not know.
    number: int
    previous: int
    posts: list[Post]


class Joined(Struct, array_like=True, frozen=True, tag="+"):
    """A user is new in a presence channel. Written by ``channel.lua``, as those below."""

    version: int
    user_id: str
    user_info: str
    socket_id: str


class Changed(Struct, array_like=True, frozen=True, tag="~"):
    """Another connection's ``user_info`` counts from now on."""

    version: int
    user_id: str
    user_info: str


class Left(Struct, array_like=True, frozen=True, tag="-"):
    """A user's last connection is gone."""

    version: int
    user_id: str


class Shared(Struct, array_like=True, frozen=True, tag="i"):
    """Several nodes attend to the channel: the one that thinks itself alone is to say it knows."""

    version: int


class Known(Struct, array_like=True, frozen=True, tag="k"):
    """The node that was alone knows."""

    version: int


class Lonely(Struct, array_like=True, frozen=True, tag="l"):
    """One node is left; it may make itself the lone one."""

    version: int


class Terminate(Struct, array_like=True, frozen=True, tag="x"):
    """End the connections of the user whose channel this is."""

    origin: str


class Remarked(Struct, array_like=True, frozen=True, tag="r"):
    """What the rules of a channel on one node tell the others."""

    origin: str
    #: The origin in its present life, as ``leases`` names it.
    node: str
    #: Of the same row as those of ``Posts``, which is not said to have a gap here.
    number: int
    remark: Remark


class Dead(Struct, array_like=True, frozen=True, tag="d"):
    """A node that attended to the channel has been swept. Written by ``channel.lua``."""

    version: int
    node: str


class Connections(Struct, array_like=True, frozen=True, tag="c"):
    """How many connections of an app a node has."""

    origin: str
    app_id: str
    count: int


Letter = (
    Posts
    | Joined
    | Changed
    | Left
    | Shared
    | Known
    | Lonely
    | Terminate
    | Remarked
    | Dead
    | Connections
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Letter)


def encode(letter: Letter) -> bytes:
    return _encoder.encode(letter)


def decode(data: bytes) -> Letter | None:
    """The letter; ``None`` for one of a kind that this version does not know, or that is none."""
    try:
        letter: Letter = _decoder.decode(data)
        return letter
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def start_of(origin: str) -> bytes:
    """How ``Posts`` of a node begin: its own come back to it, and need not be read."""
    empty = encode(Posts(origin, 0, 0, []))
    return empty[: len(empty) - 3]
