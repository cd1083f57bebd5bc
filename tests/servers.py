"""A real redis-server for tests: on a free port, without files, always ended."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

#: Seconds within which a server has to answer.
DEADLINE = 20.0


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert isinstance(port, int)
        return port


class RedisServer:
    """``redis-server`` on loopback. ``options`` as on its command line, without the dashes."""

    def __init__(self, port: int | None = None, **options: str) -> None:
        self.port = port or free_port()
        self.options = {"save": "", "appendonly": "no", **options}
        self._directory = tempfile.mkdtemp(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, is_awaited: bool = True) -> None:
        options = [part for name, value in self.options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--dir", self._directory, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        if is_awaited:
            until(lambda: self.ask("PING") == "PONG")

    def ask(self, *command: str) -> str:
        """redis-cli's answer."""
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *command],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        return done.stdout.strip()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as if the machine had gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE)
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(Path(self._directory), ignore_errors=True)


def until(is_so: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait for something outside this process."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.02)
