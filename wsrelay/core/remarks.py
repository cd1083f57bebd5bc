"""What the rules of one channel tell one another, from node to node.

Each remark takes its place among the publications of its channel: all nodes hear both in one order.
A bus carries them as they are; their form is held by the test of its envelope.
"""

from __future__ import annotations

from msgspec import Struct


class Came(Struct, frozen=True, array_like=True, tag="+"):
    """One more connection is in the channel; ``user_id`` on presence channels."""

    socket_id: str
    user_id: str | None = None


class Went(Struct, frozen=True, array_like=True, tag="-"):
    """A connection has left."""

    socket_id: str


class Stand(Struct, frozen=True, array_like=True):
    """A member's newest event of one name, and where that says he is."""

    #: His user id, or without users his connection's socket id.
    name: str
    event: str
    #: The connection that said it.
    socket_id: str
    #: The frame's JSON text.
    payload: bytes
    at: tuple[float, float] | None = None
    #: The names of those who are near him.
    near: tuple[str, ...] = ()


class Told(Struct, frozen=True, array_like=True, tag="t"):
    """All that a node has of the channel: its connections, and what their members said last.

    In several parts where it is too long for one; ``is_last`` says that it is whole.
    """

    connections: list[Came]
    stands: list[Stand]
    is_first: bool = True
    is_last: bool = True
    #: The number of the node's question, that all others tell the same; 0: it asks nothing.
    asks: int = 0
    #: Whose question it answers, by his origin, and the number of that.
    answers: tuple[str, int] | None = None


Remark = Came | Went | Told
