"""When to ping a silent client, and when to give it up.

Only what *arrives* counts: a dead peer can be written to for a long time. Ping frames are used
and not ``pusher:ping``, which several stock clients never answer (protocol reference, liveness).
"""

from __future__ import annotations

from enum import Enum, auto

#: Seconds between two looks at every connection.
TICK = 5.0
#: Seconds of silence after which a ping frame is sent.
PING_AFTER = 60.0
#: Seconds of silence after which the connection is closed (4201).
GIVE_UP_AFTER = 90.0


class Verdict(Enum):
    WAIT = auto()
    PING = auto()
    GIVE_UP = auto()


class Pulse:
    """The silence of one connection, in ticks. ``heard`` is set by whatever arrives."""

    __slots__ = ("_silent_ticks", "heard")

    def __init__(self) -> None:
        self.heard = True
        self._silent_ticks = 0

    @property
    def silence(self) -> float:
        """Seconds for which nothing was heard, in whole ticks."""
        return 0.0 if self.heard else (self._silent_ticks + 1) * TICK

    def tick(self) -> Verdict:
        """Another ``TICK`` seconds have passed; what has to be done now?"""
        if self.heard:
            self.heard = False
            self._silent_ticks = 0
            return Verdict.WAIT
        self._silent_ticks += 1
        silence = self._silent_ticks * TICK
        if silence == GIVE_UP_AFTER:
            return Verdict.GIVE_UP
        return Verdict.PING if silence == PING_AFTER else Verdict.WAIT
