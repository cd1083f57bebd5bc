"""Newest only: of one sender's moves a room is told as many as it can use, and always the last.

Time is cut into ticks of ``1 / rate`` seconds, one timer a channel. Of each sender and event one
leaves a tick: the first at once, of those that come behind it the newest when the tick ends. So
all that moves in a room reaches a listener together, in one write.

What leaves is what counts against ``client_event_rate``. A tick at which the sender's rate has
nothing to spare passes without him: what he says last still waits, and leaves at a later one.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ..core.notices import Tally
from ..core.ports import CallLater, Speaker, Timer

#: Events of different names of one sender that may have a turn in one tick. The others are as any
#: event: clients choose the names.
MOST_EVENTS = 16


class Said(Struct, frozen=True):
    """A client event that has not left yet."""

    event: str
    #: JSON text as it came.
    data: bytes
    user_id: str | None
    speaker: Speaker


class Newest:
    """What has left in this tick, and what waits for its end."""

    def __init__(
        self, rate: float, leave: Callable[[Said], None], tally: Tally, call_later: CallLater
    ) -> None:
        self._tick = 1 / rate
        self._leave = leave
        self._tally = tally
        self._call_later = call_later
        #: Of those who had their turn in this tick: by socket id and event what waits, or None.
        self._turns: dict[str, dict[str, Said | None]] = {}
        self._timer: Timer | None = None

    def say(self, said: Said) -> None:
        """Let it leave, now or later; raise ``EventRejected`` where it is too much."""
        turns = self._turns.setdefault(said.speaker.socket_id, {})
        event = said.event
        if event not in turns:
            if len(turns) >= MOST_EVENTS:
                said.speaker.pay()
                self._leave(said)
                return
            turns[event] = None
            if self._timer is None:
                self._timer = self._call_later(self._tick, self._end_of_tick)
            if said.speaker.can_spare():
                self._leave(said)
                return
        elif turns[event] is not None:
            self._tally.client_events_superseded += 1
        turns[event] = said

    def _end_of_tick(self) -> None:
        waiting, self._turns = self._turns, {}
        # First of all, or ticks would be longer by the time that a full room takes.
        timer = self._timer = self._call_later(self._tick, self._end_of_tick)
        for socket_id, turns in waiting.items():
            for event, said in turns.items():
                if said is None:
                    continue
                if said.speaker.can_spare():
                    self._leave(said)
                    said = None
                self._turns.setdefault(socket_id, {})[event] = said
        if not self._turns:
            timer.cancel()
            self._timer = None

    def left(self, socket_id: str) -> None:
        """What a sender said last leaves before him."""
        for said in self._turns.pop(socket_id, {}).values():
            if said is not None:
                self._leave(said)

    def end(self) -> None:
        """The channel is gone."""
        self._turns.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
