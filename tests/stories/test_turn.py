"""The credentials that members are told open a real TURN server, coturn, until they end."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.stories.processes import DEADLINE
from wsrelay.core.rules import Turn
from wsrelay.core.secret import Secret
from wsrelay.rules.turn import ice_servers


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing: apt-get install coturn", pytrace=False)
    return found


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where coturn listens, with the secret ``north``."""
    home: Path = tmp_path_factory.mktemp("coturn")
    for _ in range(3):  # it has the next port as well, and goes on without the one that is taken
        with _turnserver(home, free_port()) as (port, server):
            if _listens(port, server):
                yield port
                return
    pytest.fail("turnserver listened on none of three ports")


@contextmanager
def _turnserver(home: Path, port: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    server = subprocess.Popen(
        [
            tool("turnserver"),
            *("-n", "--use-auth-secret", "--static-auth-secret=north", "--realm=example.org"),
            *("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}"),
            *("--allow-loopback-peers", "--no-tls", "--no-dtls", "--no-cli"),
            *("--log-file=stdout", f"--pidfile={home / 'pid'}", f"--userdb={home / 'db'}"),
        ],
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port, server
    finally:
        server.terminate()
        server.wait(DEADLINE)


def _listens(port: int, server: subprocess.Popen[bytes]) -> bool:
    ends = time.monotonic() + DEADLINE
    while time.monotonic() < ends and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def is_relayed(port: int, secret: str = "north", *, age: float = 0, user: str = "ada") -> bool:
    """Whether coturn's own client can send itself something by way of the server.

    The credentials were made ``age`` seconds ago.
    """
    turn = Turn(urls=(f"turn:127.0.0.1:{port}",), secret=Secret(secret), ttl=600)
    [server] = ice_servers(turn, user, time.time() - age)["iceServers"]
    client = subprocess.run(
        [
            tool("turnutils_uclient"),
            *("-y", "-m", "2", "-n", "3", "-p", str(port)),
            *("-u", server["username"], "-w", server["credential"], "127.0.0.1"),
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return client.returncode == 0 and "Total lost packets 0" in client.stdout


@pytest.mark.parametrize("user", ["ada", "Zoë:1"])
def test_credentials_open_the_server(port: int, user: str) -> None:
    assert is_relayed(port, user=user)


def test_credentials_that_have_ended_open_nothing(port: int) -> None:
    assert not is_relayed(port, age=601)


def test_credentials_of_another_secret_open_nothing(port: int) -> None:
    assert not is_relayed(port, "south")
