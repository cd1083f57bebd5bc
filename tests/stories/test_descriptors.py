"""A real process with few descriptors: nobody who is connected notices that they run out."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.loopback import request
from tests.memory import handshake
from tests.stories.processes import BIN, DEADLINE, Process, running
from tests.websocket.frames import PING, PONG, Sent, frame, read_frames

KEY = "local-key"
PRLIMIT = shutil.which("prlimit") or ""
WELCOME = b'activity_timeout\\":120}"}'


@contextmanager
def relay_with(limit: str, path: Path) -> Iterator[Process]:
    twistd = (str(BIN / "twistd"), "--nodaemon", "--pidfile=", "wsrelay", "--port", "0")
    with running(PRLIMIT, f"--nofile={limit}", *twistd, cwd=path) as relay:
        assert relay.port
        yield relay


def connected(relay: Process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=DEADLINE)


def until(connection: socket.socket, *ends: bytes) -> bytes:
    """What comes up to one of these, or to the end."""
    come = b""
    while not any(end in come for end in ends):
        more = connection.recv(65536)
        if not more:
            break
        come += more
    return come


def is_welcome(connection: socket.socket) -> bool:
    """Whether a visitor was let in; else he was told 4100."""
    connection.sendall(handshake(KEY))
    told = until(connection, WELCOME, b'"code":4100')
    assert WELCOME in told or b"no room for more connections" in told, told
    return WELCOME in told


def is_up(relay: Process) -> bool:
    with connected(relay) as connection:
        connection.sendall(request("GET", "/up"))
        return b'{"health":"OK"}' in until(connection, b'{"health":"OK"}')


def is_alive(visitor: socket.socket) -> bool:
    visitor.sendall(frame(b"still here?", PING))
    return read_frames(until(visitor, b"still here?")) == [Sent(PONG, b"still here?")]


def limits_of(relay: Process) -> str:
    limits = Path(f"/proc/{relay.pid}/limits").read_text()
    found = re.search(r"Max open files\s+(\d+\s+\d+)", limits)
    assert found is not None
    return found[1]


def cpu_seconds(relay: Process) -> float:
    fields = Path(f"/proc/{relay.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_soft_limit_is_raised_to_the_hard_one_and_a_low_one_is_told(tmp_path: Path) -> None:
    with relay_with("128:2048", tmp_path) as relay:
        assert limits_of(relay).split() == ["2048", "2048"]
        line = relay.wait_for("Connections are limited").string
        assert "to about 1920 by the number of descriptors" in line
        assert "LimitNOFILE=" in line


def test_when_they_get_scarce_sockets_are_refused_and_everything_else_goes_on(
    tmp_path: Path,
) -> None:
    with relay_with("128:128", tmp_path) as relay, ExitStack() as stack:
        visitors = []
        while is_welcome(visitor := stack.enter_context(connected(relay))):
            visitors.append(visitor)
        assert 50 < len(visitors) < 96
        for _ in range(10):
            with connected(relay) as late:
                assert not is_welcome(late)
            assert is_up(relay)
        assert all(map(is_alive, visitors))
        relay.wait_for(r"of 128 descriptors are in use: new sockets are refused \(4100\)")
        assert relay.text.count("descriptors are in use") == 1

        for visitor in visitors[:20]:
            visitor.close()
        ends = time.monotonic() + DEADLINE
        is_let_in = False
        while not is_let_in:  # as soon as the relay has seen them go
            assert time.monotonic() < ends
            with connected(relay) as back:
                is_let_in = is_welcome(back)
        assert all(map(is_alive, visitors[20:]))
        assert "Traceback" not in relay.text


def test_when_none_is_left_nobody_is_cut_off_and_nothing_spins(tmp_path: Path) -> None:
    with relay_with("128:128", tmp_path) as relay, ExitStack() as stack:
        visitor = stack.enter_context(connected(relay))
        assert is_welcome(visitor)
        idle = ExitStack()
        stack.enter_context(idle)
        for _ in range(200):
            idle.enter_context(connected(relay))
        relay.wait_for(r"no descriptor left \(EMFILE\)")
        with connected(relay) as late:
            assert until(late, b"never") == b""  # closed, and not left to wait
        assert is_alive(visitor)
        before, began = cpu_seconds(relay), time.monotonic()
        while time.monotonic() < began + 0.5:
            assert is_alive(visitor)
            time.sleep(0.02)
        assert cpu_seconds(relay) - before < 0.4
        assert relay.text.count("no descriptor left") == 1

        idle.close()
        ends = time.monotonic() + DEADLINE
        while True:  # as soon as the relay has seen them go
            assert time.monotonic() < ends
            with connected(relay) as back:
                try:
                    if is_welcome(back):
                        break
                except (AssertionError, OSError):  # still closed at once
                    continue
        assert is_up(relay)
        assert is_alive(visitor)
        assert "Traceback" not in relay.text
