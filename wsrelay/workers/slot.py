"""One worker's place: the process that fills it, and the next one when that is gone.

Whoever dies is replaced at once, and who dies again and again after growing pauses. Who says
nothing for ``HANG`` seconds hangs, and is ended.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from .words import Beat, Failed, FromWorker, Ready, ToWorker

_log = Logger(namespace="wsrelay")

#: Seconds that a worker may take to serve, and that it may be silent then.
START = 60.0
HANG = 10.0
#: Seconds after which a worker that dies is replaced at once again.
STEADY = 30.0
#: Seconds before the next one: the first pause, which doubles, and the last.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


class Child(Protocol):
    """A running process."""

    @property
    def pid(self) -> int: ...

    def say(self, word: ToWorker) -> None: ...

    def kill(self) -> None: ...


class State(Enum):
    #: There is no process.
    EMPTY = auto()
    #: It does not serve yet.
    STARTING = auto()
    SERVING = auto()


class Slot:
    """``spawn`` starts a process, whose words and end are told by ``hear`` and ``ended``."""

    def __init__(
        self,
        number: int,
        clock: IReactorTime,
        seconds: Callable[[], float],
        spawn: Callable[[Slot], Child],
        *,
        heard: Callable[[Slot, FromWorker], None],
        gone: Callable[[Slot, str], None],
    ) -> None:
        """``seconds`` is monotonic.

        ``heard`` is told every word, ``gone`` how a process ended, before there is another one.
        """
        self.number = number
        self.state = State.EMPTY
        #: How often there was another process.
        self.restarts = 0
        #: Nobody is started any more.
        self.is_over = False
        #: Why it could not start, as far as it said so.
        self.reason = ""
        #: What was told last.
        self.status: Mapping[str, Any] = {}
        self._clock = clock
        self._seconds = seconds
        self._spawn = spawn
        self._heard = heard
        self._gone = gone
        self._child: Child | None = None
        self._started = self._last_heard = 0.0
        self._failures = 0
        self._next: IDelayedCall | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    @property
    def is_alive(self) -> bool:
        return self._child is not None

    def start(self) -> None:
        self._next = None
        self._started = self._last_heard = self._seconds()
        self.state, self.reason = State.STARTING, ""
        try:
            self._child = self._spawn(self)
        except OSError as error:  # no process left, no memory, no descriptor
            self.ended(f"could not be started: {error}")

    def say(self, word: ToWorker) -> None:
        if self._child is not None:
            self._child.say(word)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def end(self) -> None:
        """Nobody takes its place any more."""
        self.is_over = True
        if self._next is not None:
            self._next.cancel()
            self._next = None

    # -- what happens ------------------------------------------------------------------------

    def hear(self, word: FromWorker) -> None:
        self._last_heard = self._seconds()
        if isinstance(word, Ready):
            self.state = State.SERVING
        elif isinstance(word, Beat):
            self.status = word.status
        elif isinstance(word, Failed):
            self.reason = word.reason
        self._heard(self, word)

    def look(self) -> None:
        """End it if it hangs."""
        silent = self._seconds() - self._last_heard
        most = HANG if self.state is State.SERVING else START
        if self._child is not None and silent > most:
            _log.error(
                "worker {worker} (process {pid}) hangs: nothing was heard of it for "
                "{silent:.0f} s; it is ended",
                worker=self.number,
                pid=self.pid,
                silent=silent,
            )
            self._last_heard = self._seconds()
            self._child.kill()

    def ended(self, how: str) -> None:
        """The process is gone; ``how`` says it as ``was ended by SIGKILL``."""
        pid, self._child, self.state = self.pid, None, State.EMPTY
        self._gone(self, how)
        self.status = {}
        if not self.is_over:
            pause = self._pause()
            _log.error(
                "worker {worker} (process {pid}) {how}{reason}; the next one is started {when}",
                worker=self.number,
                pid=pid,
                how=how,
                reason=f": {self.reason}" if self.reason else "",
                when=f"in {pause:g} s" if pause else "at once",
            )
            self.restarts += 1
            self._next = self._clock.callLater(pause, self.start)

    def _pause(self) -> float:
        """Seconds until the next one."""
        if self._seconds() - self._started >= STEADY:
            self._failures = 0
        self._failures += 1
        if self._failures == 1:
            return 0.0
        return min(FIRST_PAUSE * 2.0 ** min(self._failures - 2, 30), LONGEST_PAUSE)


def described(status: int | None, number: int | None) -> str:
    """How a process ended, by its exit status or the number of the signal."""
    if number is None:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"was ended by signal {number}"
