"""What parent and workers say to one another, through two pipes of each worker.

Messages are msgpack behind their length (netstring-like, four bytes). Both ends are of one
release, since the parent starts the workers from the files that it runs from itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct, msgpack
from twisted.protocols.basic import Int32StringReceiver

from ..metrics.summed import Family

#: Descriptors of a worker: what it reads the parent's words from, and writes its own to.
READS, WRITES = 3, 4
#: The first of those that it listens with.
FIRST_SOCKET = 5
#: Bytes of a message; a configuration with ten thousand apps has five million.
LONGEST = 64 * 1024 * 1024
#: Seconds between two signs of life of a worker.
BEAT = 1.0


# -- from the parent -----------------------------------------------------------------------------


class Socket(Struct, frozen=True):
    """A listening socket among the worker's descriptors."""

    descriptor: int
    #: ``socket.AF_INET`` and so on.
    family: int
    #: The worker's own of several on this address, which the kernel deals out among them.
    is_dealt: bool
    #: The service manager's, which outlives the parent, too.
    is_inherited: bool


class Start(Struct, tag=True, frozen=True):
    number: int
    #: As ``config.handed`` packs them.
    settings: bytes
    #: For each place where the settings want to listen.
    places: Sequence[Sequence[Socket]]
    #: What stands in the files of certificates, by their whole paths.
    files: Mapping[str, bytes]


class Introduce(Struct, tag=True, frozen=True):
    """Say in the log where the relay listens, and for whom."""


class Prepare(Struct, tag=True, frozen=True):
    """Could these settings be taken up? ``Judged`` is the answer."""

    settings: bytes


class TakeUp(Struct, tag=True, frozen=True):
    """Go by the settings that were prepared."""


class FindPlaces(Struct, tag=True, frozen=True):
    """Which places do your dealt sockets have in their groups? ``Places`` is the answer."""


class Stop(Struct, tag=True, frozen=True):
    #: Name of a ``Successor``.
    successor: str
    #: Whether the connections to come are dealt to others already, for each dealt socket.
    is_steered: Sequence[bool]


class Hurry(Struct, tag=True, frozen=True):
    """Wait for nothing any more."""


# -- from a worker -------------------------------------------------------------------------------


class Ready(Struct, tag=True, frozen=True):
    """It serves."""


class Failed(Struct, tag=True, frozen=True):
    """It can't start, and ends."""

    reason: str


class Said(Struct, tag=True, frozen=True):
    """An event of the log."""

    time: float
    level: str
    logger: str
    text: str
    #: What the text names, for logs in JSON.
    values: Mapping[str, Any]


class Judged(Struct, tag=True, frozen=True):
    #: Why the settings can't be taken up; empty when they can.
    fault: str


class Places(Struct, tag=True, frozen=True):
    """For each dealt socket; ``None`` where it could not be found out."""

    found: Sequence[int | None]


class Beat(Struct, tag=True, frozen=True):
    """A sign of life, and how it is going."""

    status: Mapping[str, Any]
    families: Sequence[Family]


ToWorker = Start | Introduce | Prepare | TakeUp | FindPlaces | Stop | Hurry
FromWorker = Ready | Failed | Said | Judged | Places | Beat

_Word = TypeVar("_Word")
_encode = msgpack.Encoder().encode


def framed(word: ToWorker | FromWorker) -> bytes:
    content = _encode(word)
    return len(content).to_bytes(4, "big") + content


class Reader(Int32StringReceiver):
    """Hears one end's words. What is no such word raises, for it can't be."""

    MAX_LENGTH = LONGEST

    def __init__(self, kind: Any, hear: Callable[[Any], None]) -> None:
        self._decode = msgpack.Decoder(kind).decode
        self._hear = hear

    def stringReceived(self, string: bytes) -> None:
        self._hear(self._decode(string))


def reader_of_parent(hear: Callable[[ToWorker], None]) -> Reader:
    """For a worker."""
    return Reader(ToWorker, hear)


def reader_of_worker(hear: Callable[[FromWorker], None]) -> Reader:
    """For the parent."""
    return Reader(FromWorker, hear)
