"""What the service manager is told (sd_notify(3)): ready, reloading, stopping, how it goes, alive.

A datagram to the socket that ``NOTIFY_SOCKET`` names; without one, as outside of systemd, nothing
is sent. The watchdog (sd_watchdog_enabled(3)) is fed by a timer of the reactor: when the reactor
hangs, so does the timer, and systemd starts the relay anew.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, MutableMapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_log = Logger(namespace="wsrelay")

#: Seconds between two looks at whether the status has changed.
STATUS_INTERVAL = 5.0


class Notify:
    """Tells the service manager, where there is one."""

    def __init__(
        self,
        clock: IReactorTime,
        status: Callable[[], str],
        environ: MutableMapping[str, str] = os.environ,
        is_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        """``status`` gives the line that ``systemctl status`` shows.

        While ``is_alive`` says no, there is no sign of life.
        """
        self._is_alive = is_alive
        self._clock = clock
        self._status = status
        self._told = ""
        self._is_stopping = False
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        #: Seconds between two signs of life; ``None`` when nobody waits for them.
        self._interval = _watchdog_interval(environ) if self._address else None
        self._timers: dict[Callable[[], None], IDelayedCall] = {}

    # -- what happens --------------------------------------------------------------------

    def started(self) -> None:
        """Serving begins with the next turn of the reactor."""
        if self._address:
            self._again(0, self._ready)

    def reloading(self) -> None:
        """The configuration is read again; ``reloaded`` has to follow (since systemd 253)."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        self._send("READY=1")

    def stopping(self, most_seconds: float) -> None:
        """It may take ``most_seconds``; signs of life and the status go on until ``close``."""
        self._is_stopping = True
        self._told = self._line()
        self._send(
            "STOPPING=1",
            f"STATUS={self._told}",
            f"EXTEND_TIMEOUT_USEC={int(most_seconds * 1_000_000)}",
        )

    def close(self) -> None:
        """Nothing is told any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # -- how it goes ---------------------------------------------------------------------

    def _ready(self) -> None:
        self._told = self._line()
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={self._told}")
        self._timers.pop(self._ready)
        self._again(STATUS_INTERVAL, self._tell_status)
        if self._interval is not None:
            self._sign_of_life()

    def _line(self) -> str:
        return f"stopping, {self._status()}" if self._is_stopping else self._status()

    def _tell_status(self) -> None:
        line = self._line()
        if line != self._told:
            self._told = line
            self._send(f"STATUS={line}")
        self._again(STATUS_INTERVAL, self._tell_status)

    def _sign_of_life(self) -> None:
        assert self._interval is not None
        if self._is_alive():
            self._send("WATCHDOG=1")
        self._again(self._interval, self._sign_of_life)

    def _again(self, seconds: float, what: Callable[[], None]) -> None:
        self._timers[what] = self._clock.callLater(seconds, what)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:  # full, or gone: nothing that a relay should stop for
            _log.warn("the service manager can't be told: {error}", error=error)


def _address(name: str) -> str:
    """Of ``NOTIFY_SOCKET``: a path, or with ``@`` an abstract one. A vsock is not spoken to."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _watchdog_interval(environ: MutableMapping[str, str]) -> float | None:
    """Half of what is allowed, as sd_watchdog_enabled(3) recommends; in seconds."""
    allowed = environ.pop("WATCHDOG_USEC", "")
    process = environ.pop("WATCHDOG_PID", "")
    if not allowed.isdigit() or int(allowed) == 0 or process not in ("", str(os.getpid())):
        return None
    return int(allowed) / 1_000_000 / 2
