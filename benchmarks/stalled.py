"""A hall of 900 with and without 100 members who stop reading. ``python -m benchmarks.stalled``

One wsrelay process; somebody talks 40 times a second, 10 KB each time, until those who do not read
have been closed for it. What the others wait for, with them and without them, in turns.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import generator
from .servers import APP_KEY, APP_SECRET, RELAY, SERVERS, running
from .workloads import LATENCY, Workload

READING, STALLED, PAIRS, SECONDS = 900, 100, 3, 20.0
CHANNEL = "private-load-0"
HALL = Workload(
    "stalled",
    "Hall: one talks to 900 who read",
    LATENCY,
    (
        *("--rooms", "1", "--members", str(READING + 1), "--publishers", "1"),
        *("--size", "10000", "--rate", "40"),
    ),
)


@contextmanager
def stalled(port: int) -> Iterator[socket.socket]:
    """A member of the hall who reads no more once he is in."""
    with socket.socket() as client:
        # Or the kernel takes six megabytes in his place.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.connect(("127.0.0.1", port))
        client.sendall(
            f"GET /app/{APP_KEY}?protocol=7 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        heard = b""
        while b"socket_id" not in heard:
            heard += client.recv(4096)
        said = json.loads(heard[heard.index(b"{") :])
        socket_id = json.loads(said["data"])["socket_id"]
        proof = hmac.digest(APP_SECRET.encode(), f"{socket_id}:{CHANNEL}".encode(), hashlib.sha256)
        asked = {"channel": CHANNEL, "auth": f"{APP_KEY}:{proof.hex()}"}
        text = json.dumps({"event": "pusher:subscribe", "data": asked}).encode()
        # Masked with zeros, which leave it as it is.
        client.sendall(b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text)
        while b"subscription_succeeded" not in heard:
            heard += client.recv(4096)
        yield client


def measured(many: int, directory: Path, program: Path) -> str:
    with ExitStack() as stack:
        server = stack.enter_context(running(SERVERS[RELAY], HALL.needs, directory))
        sleepers = [stack.enter_context(stalled(server.port)) for _ in range(many)]
        before = resident(server.pid)
        said = generator.run(
            program, HALL, port=server.port, server_pid=server.pid, duration=SECONDS
        )
        closed = sum(not is_open(sleeper) for sleeper in sleepers)
        grown = (resident(server.pid) - before) / 1024
    if "error" in said:
        return f"{many} stalled: {said['error']}"
    return (
        f"{many:3} stalled: p50 {said['p50_ms']:.2f} ms, p99 {said['p99_ms']:.2f} ms, "
        f"{said['lost']} of {said['expected']} lost, server {said['server_cpu']:.0%}, "
        f"others {said['others_cpu']:.0%}, {closed} closed, resident +{grown:.1f} MB"
    )


def is_open(client: socket.socket) -> bool:
    """Whether the server has not given it up; nothing is read, for that would wake it."""
    state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state == 1  # TCP_ESTABLISHED


def resident(pid: int) -> float:
    """KB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0])


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        program = generator.build(Path(home))
        for pair in range(PAIRS):
            for many in (0, STALLED):
                began = time.monotonic()
                line = measured(many, Path(home), program)
                sys.stdout.write(f"pair {pair + 1}, {line} ({time.monotonic() - began:.0f} s)\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
