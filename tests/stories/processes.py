"""Real processes: started with a clean environment, read line by line, always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds within which anything has to happen that a test waits for.
DEADLINE = 20.0

BIN = Path(sys.executable).parent
LISTENING = re.compile(r"Listening on \S*:(\d+)")


def environment(**more: str) -> dict[str, str]:
    """Nothing of this process's settings, so that only what the test says counts.

    Without metrics: the default port for them is one for the whole machine.
    """
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "WSRELAY_METRICS_PORT": "0",
        **more,
    }


def run(*command: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


class Process:
    """A server in the foreground, and all that it has said."""

    def __init__(
        self,
        command: tuple[str, ...],
        cwd: Path,
        more: dict[str, str],
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._popen = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=cwd,
            env=environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=pass_fds,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, pattern: str | re.Pattern[str], after: int = 0) -> re.Match[str]:
        """The first line that fits, said already or yet to come; ``after`` so many others."""
        search = re.compile(pattern).search
        found: list[re.Match[str]] = []

        def is_said() -> bool:
            found.extend(m for line in self.lines[after:] if (m := search(line)) is not None)
            return bool(found) or not self._reader.is_alive()

        with self._changed:
            self._changed.wait_for(is_said, DEADLINE)
        assert found, f"no line with {pattern!r} in:\n" + "\n".join(self.lines)
        return found[0]

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    @property
    def port(self) -> int:
        return int(self.wait_for(LISTENING)[1])

    @property
    def id(self) -> int:
        return self._popen.pid

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    @property
    def resident(self) -> int:
        """Bytes of memory that it has now."""
        status = Path(f"/proc/{self._popen.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024

    @property
    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self._popen.pid}/fd"))

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; return its exit status."""
        if self._popen.poll() is None:
            self._popen.send_signal(how)
        status = self._popen.wait(DEADLINE)
        self._reader.join(DEADLINE)
        assert self._popen.stdout is not None
        self._popen.stdout.close()
        return status

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@contextmanager
def running(
    *command: str, cwd: Path, pass_fds: tuple[int, ...] = (), **more: str
) -> Iterator[Process]:
    process = Process(command, cwd, more, pass_fds)
    try:
        yield process
    finally:
        process.end(signal.SIGKILL)
