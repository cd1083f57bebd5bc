"""An end point that says every message back, so that conformance suites have something to test.

Off unless ``echo_path`` names it. It stands on the relay's own protocol, fast path, outbox and
compression, so what is found out about it is true of the relay.
"""

from __future__ import annotations

from ..core.errors import Code
from ..core.frame import Frame
from ..core.ports import Door
from ..pusher.admission import Hello
from .wire import BINARY, data_frame

#: Bytes of a message: the longest in Autobahn's suite (cases 9.1.6 and 9.2.6).
LONGEST = 16 * 1024 * 1024
#: Bytes that may wait: two of the longest.
MOST_WAITING = 2 * LONGEST

#: What a client of the echo shows: nothing, since everybody may come in.
HELLO = Hello(key="")


class EchoSession:
    """A conversation with the face of ``pusher.session.Session``, for the protocol."""

    __slots__ = ("_door",)

    def __init__(self, door: Door) -> None:
        self._door = door

    def open(self, hello: Hello) -> None:
        """Nobody is refused, and nobody is greeted."""

    def receive(self, payload: bytes) -> None:
        self._door.send(Frame(payload))

    def receive_binary(self, payload: bytes) -> None:
        frame = Frame(payload)
        frame.wire = data_frame(payload, BINARY)
        self._door.send(frame)

    def close(self, code: Code, message: str) -> None:
        self._door.close(code, message)

    def lost(self, code: int, reason: str) -> None:
        """Nothing is left behind."""
