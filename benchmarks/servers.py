"""The servers that are measured: how each is started, when it is ready, and what it can do.

All of them are told the same app, to set no limits, and to log no connections. Each run has a
server of its own on a port of its own: uWebSockets.js would share a port with one that is still
ending.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .errors import CannotMeasure
from .workloads import Need, Workload

CORE = 0
PEERS_DIRECTORY = Path(__file__).parent / "peers"
#: Seconds to start; no server here needs five.
DEADLINE = 30.0
APP_ID, APP_KEY, APP_SECRET = "app-id", "app-key", "app-secret"  # pusherload's own defaults

#: The options of ``twistd wsrelay`` for what workloads need; ``{…}`` is filled in.
RELAY_OPTIONS: Mapping[Need, tuple[str, ...]] = {
    "http": (),
    "tls": ("--tls-port", "{port}", "--tls-cert", "{cert}", "--tls-key", "{key}"),
    "deflate": ("--deflate",),
}

_FOREIGN_SETTINGS = re.compile(r"(WSRELAY|PUSHER|REVERB|WEBSOCKET|SOKETI|UWS)_|NODE_OPTIONS$")


@dataclass(frozen=True)
class Place:
    """Where a server is to run: ``directory`` takes its log; ``cert`` and ``key`` are PEM files."""

    port: int
    directory: Path
    needs: frozenset[Need]
    cert: Path
    key: Path


@dataclass(frozen=True)
class Server:
    """``says`` is the part of its log that means that it listens."""

    title: str
    command: Callable[[Place], list[str]]
    says: str
    offers: frozenset[Need]
    environment: Callable[[Place], Mapping[str, str]] = field(default=lambda place: {})

    def can(self, workload: Workload) -> bool:
        return workload.needs <= self.offers


def _wsrelay(place: Place) -> list[str]:
    options = [option for need in sorted(place.needs) for option in RELAY_OPTIONS[need]]
    return [
        str(Path(sys.executable).with_name("twistd")),
        *("-n", "--pidfile=", f"--logfile={place.directory / 'wsrelay.log'}", "wsrelay"),
        *("--port", str(place.port), "--app", f"{APP_ID}:{APP_KEY}:{APP_SECRET}"),
        *("--client-event-rate", "0"),
        *(option.format(port=place.port, cert=place.cert, key=place.key) for option in options),
    ]


def _bare(script: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        return [
            *("node", str(PEERS_DIRECTORY / script), "--port", str(place.port)),
            *(("--cert", str(place.cert), "--key", str(place.key)) if "tls" in place.needs else ()),
            *(("--deflate",) if "deflate" in place.needs else ()),
        ]

    return command


def _soketi(place: Place) -> list[str]:
    return ["node", str(PEERS_DIRECTORY / "node_modules/@soketi/soketi/bin/server.js"), "start"]


def _soketi_environment(place: Place) -> Mapping[str, str]:
    """-1: no limit. Its metrics server cannot be turned off, only moved."""
    tls = {"SOKETI_SSL_CERT": str(place.cert), "SOKETI_SSL_KEY": str(place.key)}
    return {
        "SOKETI_HOST": "127.0.0.1",
        "SOKETI_PORT": str(place.port),
        "SOKETI_METRICS_SERVER_PORT": str(free_port()),
        "SOKETI_DEFAULT_APP_ID": APP_ID,
        "SOKETI_DEFAULT_APP_KEY": APP_KEY,
        "SOKETI_DEFAULT_APP_SECRET": APP_SECRET,
        "SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES": "true",
        "SOKETI_DEFAULT_APP_MAX_CONNS": "-1",
        "SOKETI_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SEC": "-1",
        "SOKETI_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SEC": "-1",
        "SOKETI_DEFAULT_APP_MAX_READ_REQ_PER_SEC": "-1",
        **(tls if "tls" in place.needs else {}),
    }


RELAY = "wsrelay"
SERVERS = {
    RELAY: Server(
        "wsrelay",
        _wsrelay,
        "Listening on",
        frozenset(RELAY_OPTIONS),
        lambda place: {"WSRELAY_LOG_CONNECTIONS": "false"},
    ),
    "soketi": Server(
        "Soketi",
        _soketi,
        "Server is up and running",
        frozenset({"http", "tls"}),
        _soketi_environment,
    ),
    "ws": Server("ws", _bare("ws.mjs"), "listening", frozenset({"tls", "deflate"})),
    "uws": Server("uWebSockets.js", _bare("uws.mjs"), "listening", frozenset({"tls", "deflate"})),
}
PEERS = tuple(name for name in SERVERS if name != RELAY)


class Running:
    """A server that listens."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self._log = log
        self.pid = process.pid
        self.port = port

    def last_words(self) -> str | None:
        """The end of its log if it has ended by itself, None if it still runs."""
        if self._process.poll() is None:
            return None
        return f"status {self._process.returncode}: {self.log()[-500:].strip()}"

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


@contextmanager
def running(
    server: Server, needs: frozenset[Need], directory: Path, cores: str = str(CORE)
) -> Iterator[Running]:
    """Starts it on its core and ends it; CannotMeasure if it never listens."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    if "tls" in needs and not cert.exists():
        _make_certificate(cert, key)
    place = Place(free_port(), directory, needs, cert, key)
    log = directory / f"{server.title}.log"
    log.unlink(missing_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *server.command(place)],
            cwd=directory,
            env={**clean(os.environ), **server.environment(place)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    started = Running(process, place.port, log)
    try:
        _wait(started, server)
        yield started
    finally:
        # At once: Soketi takes three seconds to end, and nobody is connected any more.
        process.send_signal(signal.SIGKILL)
        process.wait()


def _wait(started: Running, server: Server) -> None:
    ends = time.monotonic() + DEADLINE
    while server.says not in started.log():
        if words := started.last_words():
            raise CannotMeasure(f"{server.title} did not start, {words}")
        if time.monotonic() > ends:
            raise CannotMeasure(f"{server.title} said nothing of {server.says!r}: {started.log()}")
        time.sleep(0.02)
    # It starts then all the same, in JavaScript, and would be measured under the wrong name.
    if "Falling back to a NodeJS implementation" in started.log():
        raise CannotMeasure("uWebSockets.js is built for Node.js 16, 18 and 20, not for this one")


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what would configure one of the servers."""
    return {name: value for name, value in environment.items() if not _FOREIGN_SETTINGS.match(name)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _make_certificate(cert: Path, key: Path) -> None:
    kind = ["-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made = ["-days", "2", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", "req", *kind, *made], capture_output=True, check=True)
