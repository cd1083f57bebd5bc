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

from tests.ports import free_port

#: Seconds within which a server has to answer.
DEADLINE = 20.0


#: Where servers are, unless they are to be reached from elsewhere too.
LOOPBACK = "127.0.0.1"


class RedisServer:
    """``redis-server`` on loopback, and on ``host`` if that is another address of this machine.

    ``options`` as on its command line, without the dashes.
    """

    def __init__(self, port: int | None = None, host: str = LOOPBACK, **options: str) -> None:
        self.port = port or free_port()
        self.host = host
        if host != LOOPBACK:
            options = {"bind": f"{LOOPBACK} {host}", "protected-mode": "no", **options}
        self.options = {"save": "", "appendonly": "no", **options}
        self._directory = tempfile.mkdtemp(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self._has_run = False

    @property
    def url(self) -> str:
        return f"redis://{self.address}/0"

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self, *, is_awaited: bool = True) -> None:
        options = []
        for name, value in self.options.items():
            options += [f"--{name}", *(value.split() or [""])]
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--dir", self._directory, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        process = self._process
        is_there = (lambda: self.ask("PING")) if is_awaited else self._accepts
        until(lambda: process.poll() is not None or is_there())
        if process.poll() is not None:  # somebody took the port meanwhile
            assert not self._has_run, f"redis-server ended with {process.poll()}"
            taken, self.port = self.port, free_port()
            if self.options.get("tls-port") == str(taken):
                self.options["tls-port"] = str(self.port)
            self.start(is_awaited=is_awaited)
        self._has_run = True

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def ask(self, *command: str) -> str:
        """redis-cli's answer."""
        return _cli(self.port, *command)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def is_master(self) -> bool:
        return self.ask("ROLE").startswith("master")

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


class Sentinels:
    """A master, a replica, and three sentinels that watch them."""

    def __init__(self, host: str = LOOPBACK) -> None:
        self.host = host
        self.master, self.replica = RedisServer(host=host), RedisServer(host=host)
        self.ports = [free_port() for _ in range(3)]
        self._directory = Path(tempfile.mkdtemp(prefix="sentinel-"))
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"{self.host}:{port}" for port in self.ports)
        return f"redis+sentinel://{hosts}/mymaster"

    def start(self) -> None:
        self.master.start()
        self.replica.options["replicaof"] = f"{self.host} {self.master.port}"
        self.replica.start()
        for port in self.ports:
            file = self._directory / f"{port}.conf"
            file.write_text(
                f"port {port}\ndir {self._directory}\nprotected-mode no\n"
                f"bind {' '.join(dict.fromkeys((LOOPBACK, self.host)))}\n"
                f"sentinel monitor mymaster {self.host} {self.master.port} 2\n"
                "sentinel down-after-milliseconds mymaster 1000\n"
                "sentinel failover-timeout mymaster 5000\n"
            )
            self.processes.append(
                subprocess.Popen(
                    ["redis-server", str(file), "--sentinel"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.STDOUT,
                )
            )
        until(self.are_whole)

    def are_whole(self) -> bool:
        """All know the same master, that its replica is in step, and the other two sentinels."""
        master = self.agreed_master()
        if master is None or "state=online" not in master.ask("INFO", "replication"):
            return False
        return all(
            "status=ok" in told and "slaves=1,sentinels=3" in told
            for told in (_cli(port, "INFO", "sentinel") for port in self.ports)
        )

    def fail_over(self) -> None:
        """The replica takes the place of a master that goes on living."""
        assert _cli(self.ports[0], "SENTINEL", "FAILOVER", "mymaster") == "OK"

    def agreed_master(self) -> RedisServer | None:
        """The server that all sentinels name, if it is a master and none is about to replace it."""
        named = set()
        for port in self.ports:
            told = _cli(port, "SENTINEL", "MASTER", "mymaster").split("\n")
            state = dict(zip(told[::2], told[1::2], strict=False))
            if state.get("flags") != "master":
                return None
            named.add(int(state["port"]))
        for server in (self.master, self.replica):
            if named == {server.port} and server.is_running and server.is_master:
                return server
        return None

    def remove(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(DEADLINE)
        for server in (self.master, self.replica):
            server.remove()
        shutil.rmtree(self._directory, ignore_errors=True)


def _cli(port: int, *command: str) -> str:
    done = subprocess.run(
        ["redis-cli", "-p", str(port), *command], capture_output=True, text=True, timeout=DEADLINE
    )
    return done.stdout.strip()


def until(is_so: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait for something outside this process."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.02)
