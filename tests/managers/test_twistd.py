"""twistd as its own manager: a daemon with a pid file, and privileges that are given up."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.managers.installed import configuration, until_gone, until_up
from tests.ports import free_port
from tests.stories.processes import DEADLINE, run
from tests.tls.authority import Authority


class Daemon:
    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.pid_file = folder / "twistd.pid"
        self.log = folder / "twistd.log"
        self._folder = folder
        self._configuration = configuration(folder, port)

    def start(self, *options: str, of_twistd: tuple[str, ...] = ()) -> tuple[int, str]:
        """Status, and what was said."""
        done = run(
            *("twistd", *of_twistd, "wsrelay", "--config", str(self._configuration), *options),
            cwd=self._folder,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def process(self) -> int:
        return int(self.pid_file.read_text())

    def end(self) -> None:
        if self.pid_file.exists():
            process = self.process
            os.kill(process, signal.SIGKILL)
            until_gone(process)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path, free_port())
    yield made
    made.end()


def test_the_pid_file_that_a_crash_left_behind_is_no_hindrance(daemon: Daemon) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait(DEADLINE)
    daemon.pid_file.write_text(f"{ended.pid}\n")
    status, said = daemon.start()
    assert (status, said.count("Traceback")) == (0, 0)
    until_up(daemon.port)
    assert daemon.process != ended.pid


def test_a_second_start_is_told_of_the_first(daemon: Daemon) -> None:
    assert daemon.start() == (0, "")
    until_up(daemon.port)
    status, said = daemon.start()
    assert status == 1
    assert "Another twistd server is running" in said
    assert str(daemon.process) in said
    until_up(daemon.port)


def test_a_pid_file_with_nonsense_is_told(daemon: Daemon) -> None:
    daemon.pid_file.write_text("nonsense\n")
    status, said = daemon.start()
    assert status != 0
    assert "non-numeric value" in said
    daemon.pid_file.unlink()


@pytest.mark.skipif(os.getuid() != 0, reason="only root has privileges to give up")
def test_privileges_are_given_up_once_port_and_key_are_had(daemon: Daemon, tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    authority = Authority()
    files = authority.issue("localhost").store(tmp_path)
    tls_port = next(port for port in range(1023, 600, -1) if is_free(port))
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    options = ("--tls-port", str(tls_port), "--tls-cert", files.cert)
    options += ("--tls-key", files.key)
    given_up = ("--uid", str(nobody.pw_uid), "--gid", str(nobody.pw_gid))
    status, said = daemon.start(*options, of_twistd=given_up)
    assert (status, said) == (0, "")
    until_up(daemon.port)
    owners = Path(f"/proc/{daemon.process}/status").read_text()
    assert f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}" in owners
    assert f"Gid:\t{nobody.pw_gid}\t{nobody.pw_gid}" in owners
    trusting = ssl.create_default_context(cadata=authority.pem.decode())
    with (
        socket.create_connection(("127.0.0.1", tls_port), timeout=DEADLINE) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")
    assert "may not be read by the user" in daemon.log.read_text()


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
