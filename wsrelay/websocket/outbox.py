"""What waits for one client, how much of it may wait, and who is a slow reader.

The hall sends a frame to a thousand outboxes a turn; none of them writes then. At the end of
the reactor's turn each outbox that has something writes once, whatever it has gathered. So
twenty-five talkers in a room cost a listener one ``send`` and not twenty-five.

The policy for a reader who does not keep up: while his transport is full, frames are held here,
up to ``most_bytes``; past that he is closed with 4100 and what was held is dropped. Nobody else
ever waits for him. Of frames of which only the newest matters (``send_newest``) one a slot is held:
a later one takes its place, at the end, because nothing may overtake what was said before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from twisted.internet.interfaces import IPushProducer, ITransport
from zope.interface import implementer

from ..core.errors import Code
from ..core.frame import Frame
from ..core.notices import Tally
from ..core.ports import Slot
from .wire import wire_of

#: Outboxes written between two looks at the sockets, so that reads, pings and HTTP go on
#: while a hall of ten thousand is served. About three milliseconds.
SLICE = 512
#: Bytes handed to a transport at once; it says by then whether it is full.
PIECE = 256 * 1024


class Turn:
    """The outboxes that have something to write at the end of this reactor turn."""

    __slots__ = ("_call_soon", "_is_scheduled", "_unwritten")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._unwritten: deque[Outbox] = deque()
        self._is_scheduled = False

    def add(self, outbox: Outbox) -> None:
        """Write this outbox at the end of the turn."""
        self._unwritten.append(outbox)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._call_soon(self._end)

    def __len__(self) -> int:
        """How many outboxes are still to be written."""
        return len(self._unwritten)

    def _end(self) -> None:
        unwritten = self._unwritten
        take = unwritten.popleft
        for _ in range(min(SLICE, len(unwritten))):
            take().flush()
        if unwritten:
            self._call_soon(self._end)
        else:
            self._is_scheduled = False


class _Nowhere(list[bytes]):
    """What waits in a sealed outbox: always something to look at, never anything inside.

    Standing in for the list of waiting frames, it spares every single ``send`` the question
    whether the outbox is sealed.
    """

    def __bool__(self) -> bool:
        return True

    def append(self, frame: bytes) -> None:
        pass


_NOWHERE = _Nowhere()


def _is_closed(code: int, reason: str) -> None:
    """The connection is gone: there is nothing left to close."""


def _piece_of(held: Iterator[tuple[object, bytes]]) -> Iterator[bytes]:
    """The frames to be written next: a ``PIECE``, or a little more."""
    size = 0
    while size < PIECE and (item := next(held, None)) is not None:
        size += len(item[1])
        yield item[1]


@implementer(IPushProducer)
class Outbox:
    """All that the relay may do to one client: the session's ``Door``."""

    __slots__ = (
        "_close",
        "_held",
        "_held_bytes",
        "_is_full",
        "_most_bytes",
        "_tally",
        "_transport",
        "_turn",
        "_waiting",
        "socket_id",
    )

    def __init__(
        self,
        socket_id: str,
        turn: Turn,
        transport: ITransport,
        most_bytes: int,
        tally: Tally,
        close: Callable[[int, str], None],
    ) -> None:
        self.socket_id = socket_id
        self._turn = turn
        self._transport = transport
        self._most_bytes = most_bytes
        self._tally = tally
        self._close = close
        self._waiting: list[bytes] = []
        self._is_full = False
        #: In the order of writing: frames by their slots, and by anything for those without.
        self._held: dict[object, bytes] = {}
        self._held_bytes = 0

    # -- Door --------------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        waiting = self._waiting
        if not waiting:
            self._turn.add(self)
        waiting.append(frame.wire or wire_of(frame))

    def send_newest(self, frame: Frame, slot: Slot) -> None:
        if not self._is_full:
            self.send(frame)
        elif self._waiting is not _NOWHERE:
            self.flush()  # what was sent before it in this turn goes before it
            self._give_up(slot)
            self._hold([(slot, self._wire_of(frame))])

    def _give_up(self, slot: Slot) -> None:
        """Forget the frame that a newer one replaces."""
        superseded = self._held.pop(slot, None)
        if superseded is not None:
            tally, size = self._tally, len(superseded)
            self._held_bytes -= size
            tally.held_bytes -= size
            tally.held_readers -= not self._held
            tally.frames_superseded += 1

    def _wire_of(self, frame: Frame) -> bytes:
        return wire_of(frame)

    def close(self, code: Code, reason: str) -> None:
        self._close(code, reason)

    def pause_reading(self) -> None:
        self._transport.pauseProducing()  # type: ignore[attr-defined]

    def resume_reading(self) -> None:
        self._transport.resumeProducing()  # type: ignore[attr-defined]

    # -- writing -----------------------------------------------------------------------

    def send_wire(self, data: bytes) -> None:
        """Queue bytes that are framed already: Autobahn's pongs and close frames."""
        if not self._waiting:
            self._turn.add(self)
        self._waiting.append(data)

    def seal(self) -> None:
        """Write what waits; nothing is sent any more (RFC 6455, 5.5.1: after a close frame)."""
        self.flush()
        self._waiting = _NOWHERE

    def flush(self) -> None:
        """Write what has gathered, as much as the transport takes."""
        waiting = self._waiting
        if not waiting or waiting is _NOWHERE:  # flushed before its turn, by a close
            return
        self._waiting = []
        if self._is_full:
            self._hold((object(), frame) for frame in waiting)
        elif len(waiting) == 1:
            self._tally.bytes_out += len(waiting[0])
            self._transport.write(waiting[0])
        else:
            self._write(waiting)

    def _write(self, frames: list[bytes]) -> None:
        data = b"".join(frames)
        if len(data) <= PIECE:
            self._tally.bytes_out += len(data)
            self._transport.write(data)
            return
        for start in range(0, len(data), PIECE):
            if self._is_full:
                self._hold([(object(), data[start:])])
                return
            piece = data[start : start + PIECE]
            self._tally.bytes_out += len(piece)
            self._transport.write(piece)

    def _hold(self, frames: Iterable[tuple[object, bytes]]) -> None:
        tally, held, size = self._tally, self._held, 0
        is_first = not held
        for key, frame in frames:
            held[key] = frame
            size += len(frame)
        if is_first and held:
            tally.held_readers += 1
        self._held_bytes += size
        tally.held_bytes += size
        if self._held_bytes > self._most_bytes:
            self._release()
            tally.slow_readers_closed += 1
            self._close(
                Code.OVER_CAPACITY,
                f"reads too slowly: more than {self._most_bytes} bytes wait (max_waiting_bytes)",
            )

    def _release(self) -> dict[object, bytes]:
        """What was held; nothing is from now on."""
        held = self._held
        if held:
            self._tally.held_readers -= 1
            self._tally.held_bytes -= self._held_bytes
            self._held, self._held_bytes = {}, 0
        return held

    def drop(self) -> None:
        """Forget all that waits, for good: the connection is gone."""
        self._release()
        self._waiting = _NOWHERE
        self._close = _is_closed  # the protocol's would keep it until garbage is collected

    # -- IPushProducer: the transport tells whether it is full ---------------------------

    def pauseProducing(self) -> None:
        # On plain TCP this comes with every write while the buffer is full (Twisted 26.10).
        self._is_full = True

    def resumeProducing(self) -> None:
        self._is_full = False
        held = iter(self._release().items())
        while not self._is_full and (data := b"".join(_piece_of(held))):
            self._tally.bytes_out += len(data)
            self._transport.write(data)
        self._hold(held)

    def stopProducing(self) -> None:
        self.drop()
