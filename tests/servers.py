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


class RedisServer:
    """``redis-server`` on loopback. ``options`` as on its command line, without the dashes."""

    def __init__(self, port: int | None = None, **options: str) -> None:
        self.port = port or free_port()
        self.options = {"save": "", "appendonly": "no", **options}
        self._directory = tempfile.mkdtemp(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self._has_run = False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

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
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *command],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        return done.stdout.strip()

    @property
    def is_running(self) -> bool:
        return self._process is not None

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

    def __init__(self) -> None:
        self.master, self.replica = RedisServer(), RedisServer()
        self.ports = [free_port() for _ in range(3)]
        self._directory = Path(tempfile.mkdtemp(prefix="sentinel-"))
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+sentinel://{hosts}/mymaster"

    def start(self) -> None:
        self.master.start()
        self.replica.options["replicaof"] = f"127.0.0.1 {self.master.port}"
        self.replica.start()
        for port in self.ports:
            file = self._directory / f"{port}.conf"
            file.write_text(
                f"port {port}\ndir {self._directory}\n"
                f"sentinel monitor mymaster 127.0.0.1 {self.master.port} 2\n"
                "sentinel down-after-milliseconds mymaster 1000\n"
                "sentinel failover-timeout mymaster 5000\n"
            )
            self._processes.append(
                subprocess.Popen(
                    ["redis-server", str(file), "--sentinel"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.STDOUT,
                )
            )
        for port in self.ports:
            until(lambda port=port: self._knows_all(port))

    def _knows_all(self, port: int) -> bool:
        """The replica, and the other two sentinels."""
        done = subprocess.run(
            ["redis-cli", "-p", str(port), "info", "sentinel"],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        return "slaves=1,sentinels=3" in done.stdout

    def remove(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(DEADLINE)
        for server in (self.master, self.replica):
            server.remove()
        shutil.rmtree(self._directory, ignore_errors=True)


class RedisCluster:
    """Three masters, each with a replica."""

    def __init__(self) -> None:
        self.servers: list[RedisServer] = []

    def start(self) -> None:
        for number in range(6):
            self.servers.append(self._server(number))
        hosts = [f"127.0.0.1:{server.port}" for server in self.servers]
        self.manage("create", *hosts, "--cluster-replicas", "1")
        for server in self.servers:
            until(lambda server=server: "cluster_state:ok" in server.ask("CLUSTER", "INFO"))
        until(lambda: self.servers[0].ask("CLUSTER", "SLOTS").count("127.0.0.1") == 6)

    def _server(self, number: int) -> RedisServer:
        port = free_port()  # the cluster's own bus has the one 10,000 above
        server = RedisServer(
            port,
            **{
                "cluster-enabled": "yes",
                "cluster-config-file": f"nodes{number}.conf",
                "cluster-node-timeout": "1500",
            },
        )
        server.start()
        return server

    def manage(self, what: str, *arguments: str) -> str:
        """redis-cli --cluster."""
        done = subprocess.run(
            ["redis-cli", "--cluster", what, *arguments, "--cluster-yes"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{s.port}" for s in self.servers[:2])

    def master_of(self, key: str) -> RedisServer:
        running = [server for server in self.servers if server.is_running]
        slot = int(running[0].ask("CLUSTER", "KEYSLOT", key))
        for line in running[0].ask("CLUSTER", "NODES").splitlines():
            _, address, flags, _, _, _, _, _, *slots = line.split(" ")
            if "master" not in flags or "fail" in flags:
                continue
            for part in slots:
                first, _, last = part.partition("-")
                if first.isdecimal() and int(first) <= slot <= int(last or first):
                    port = int(address.partition("@")[0].rpartition(":")[2])
                    return next(server for server in self.servers if server.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def remove(self) -> None:
        for server in self.servers:
            server.remove()


def until(is_so: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait for something outside this process."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.02)
