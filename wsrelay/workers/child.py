"""A worker as a process: how it is started, and what goes through its pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from .log import Lines
from .slot import described
from .words import FIRST_SOCKET, READS, WRITES, FromWorker, ToWorker, framed, reader_of_worker

_log = Logger(namespace="wsrelay")

#: Variables that are for the parent: what the service manager gave it, and wants to hear from it.
_OF_THE_PARENT = frozenset(
    {
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "LISTEN_PID",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    }
)


class ChildProtocol(ProcessProtocol):
    """``hear`` is told what it says, ``ended`` how it ended."""

    def __init__(
        self, number: int, hear: Callable[[FromWorker], None], ended: Callable[[str], None]
    ) -> None:
        self.number = number
        self.pid = 0
        self._ended = ended
        self._reader = reader_of_worker(hear)
        self._lines = Lines(self._raw)

    def connectionMade(self) -> None:
        # The transport (Twisted 26.10) forgets it before it tells that the process ended.
        self.pid = int(self.transport.pid)  # type: ignore[union-attr]

    def say(self, word: ToWorker) -> None:
        with suppress(KeyError):  # the pipe is closed: it ends
            self.transport.writeToChild(READS, framed(word))  # type: ignore[union-attr]

    def kill(self) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")  # type: ignore[union-attr]

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD != WRITES:
            self._lines.receive(data)
            return
        try:
            self._reader.dataReceived(data)
        except Exception:
            _log.failure("worker {worker} can't be understood and is ended", worker=self.number)
            self.kill()

    def _raw(self, line: str) -> None:
        """What it writes by itself, such as an interpreter that crashes."""
        _log.warn("worker {worker}: {line}", worker=self.number, line=line)

    def processEnded(self, reason: Failure) -> None:
        self._lines.end()
        end: Any = reason.value
        self._ended(described(end.exitCode, end.signal))


def spawn(
    reactor: Any, protocol: ChildProtocol, sockets: Sequence[int], environ: Mapping[str, str]
) -> None:
    """Start it with the same Python and the same modules. Raises ``OSError``."""
    own = {name: value for name, value in environ.items() if name not in _OF_THE_PARENT}
    own["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    descriptors: dict[int, Any] = {0: nothing, 1: "r", 2: "r", READS: "w", WRITES: "r"}
    descriptors.update(enumerate(sockets, FIRST_SOCKET))
    try:
        reactor.spawnProcess(
            protocol,
            sys.executable,
            # -P: modules are not looked for where the parent happens to be.
            [sys.executable, "-P", "-m", "wsrelay.workers", str(protocol.number)],
            env=own,
            childFDs=descriptors,
        )
    finally:
        os.close(nothing)
