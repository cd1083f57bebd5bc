"""The units of ``etc/``, by systemd's own tools, and the relay as a service that they start.

None of it needs a booted systemd: ``systemd-analyze`` reads units offline,
``systemd-socket-activate`` hands a socket over, and the one that is told how it goes is the test.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.managers.installed import ETC, configuration, installed, until_up
from tests.ports import free_port
from tests.stories.processes import BIN, DEADLINE, Process, running

UNITS = ("wsrelay.service", "wsrelay@.service", "wsrelay.socket")
TWISTD = (str(BIN / "twistd"), "--nodaemon", "--pidfile=", "wsrelay")


class Manager:
    """systemd's end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(DEADLINE)
        self.told: list[str] = []

    def wait_for(self, text: str) -> str:
        """The next datagram that has it."""
        while True:
            said = self._socket.recv(4096).decode()
            self.told.append(said)
            if text in said:
                return said

    def forget(self) -> None:
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(4096)
        except BlockingIOError:
            self._socket.settimeout(DEADLINE)

    def hears_nothing_for(self, seconds: float) -> bool:
        self._socket.settimeout(seconds)
        try:
            self._socket.recv(4096)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(DEADLINE)
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("n") / "notify")


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    made = Manager(address)
    yield made
    made.close()


# -- the units ---------------------------------------------------------------------------------


def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    for unit in UNITS:
        installed(unit, tmp_path, 6001)
    names = [tmp_path / unit.replace("@", "@1") for unit in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service")])
def test_a_service_may_do_little(unit: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=19", ETC / unit],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stdout  # 1: the score is above 1.9
    assert re.search(r"Overall exposure level for \S+: [01]\.\d", done.stdout)


def test_the_services_differ_in_nothing_but_their_number() -> None:
    one, many = ((ETC / unit).read_text().split("[Unit]")[1] for unit in UNITS[:2])
    known = {
        " --reuse-port --metrics-port 960%i": "",
        ", process %i": "",
        "wsrelay/%i": "wsrelay",
        "it does not get.": "it does not get. Ports below 1024 are wsrelay.socket's to open.",
    }
    for there, here in known.items():
        assert there in many
        many = many.replace(there, here)
    assert many == one


# -- the service -------------------------------------------------------------------------------


def test_it_tells_how_it_goes_from_start_to_end(
    manager: Manager, address: str, tmp_path: Path
) -> None:
    port = free_port()
    options = ("--config", str(configuration(tmp_path, port)))
    with running(*TWISTD, *options, cwd=tmp_path, NOTIFY_SOCKET=address) as relay:
        ready = manager.wait_for("READY=1")
        assert "STATUS=0 connections, 0 channels" in ready
        until_up(port)
        relay.send(signal.SIGHUP)
        reloading = manager.wait_for("RELOADING=1")
        assert re.search(r"MONOTONIC_USEC=\d+", reloading)
        manager.wait_for("READY=1")
        relay.end()
        stopping = manager.wait_for("STOPPING=1")
        assert "EXTEND_TIMEOUT_USEC=" in stopping
        assert "Traceback" not in relay.text


def test_when_it_hangs_there_is_no_sign_of_life(
    manager: Manager, address: str, tmp_path: Path
) -> None:
    more = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
    with running(*TWISTD, "--port", "0", cwd=tmp_path, **more) as relay:
        for _ in range(3):
            manager.wait_for("WATCHDOG=1")
        relay.send(signal.SIGSTOP)
        os.waitid(os.P_PID, relay.id, os.WSTOPPED | os.WNOWAIT)
        manager.forget()
        assert manager.hears_nothing_for(1.0)
        relay.send(signal.SIGCONT)
        manager.wait_for("WATCHDOG=1")


def test_a_socket_of_systemd_is_its_port(manager: Manager, address: str, tmp_path: Path) -> None:
    port = free_port()
    options = ("--config", str(configuration(tmp_path, free_port())))
    with activated(port, tmp_path, *TWISTD, *options, NOTIFY_SOCKET=address) as relay:
        assert until_up(port) < DEADLINE  # the first who connects starts it
        manager.wait_for("READY=1")
        relay.wait_for(rf"Listening on 127\.0\.0\.1:{port} for app")
        relay.send(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        relay.wait_for("Stopping: 0 connections are told 4200, within 0 s")
        relay.end()
        assert "Traceback" not in relay.text


def test_a_socket_may_be_named_by_hand(tmp_path: Path) -> None:
    port = free_port()
    options = ("--config", str(configuration(tmp_path, free_port())))
    options += ("--listen", "systemd:domain=INET:index=0")
    with activated(port, tmp_path, *TWISTD, *options) as relay:
        until_up(port)
        relay.wait_for(rf"Listening on 127\.0\.0\.1:{port} for app")


def test_strangers_do_not_reach_the_development_app_by_a_socket(tmp_path: Path) -> None:
    port = free_port()
    with activated(port, tmp_path, *TWISTD, host="0.0.0.0") as relay:
        relay.wait_for("Listening on")
        socket.create_connection(("127.0.0.1", port)).close()
        relay.wait_for(r"the inherited socket on 0\.0\.0\.0 needs an app of your own")


def activated(
    port: int, folder: Path, *command: str, host: str = "127.0.0.1", **environ: str
) -> Iterator[Process]:
    """Started by the first connection to ``port``, as by a socket unit."""
    passed = [f"--setenv={name}={value}" for name, value in environ.items()]
    return running(
        *("/usr/bin/systemd-socket-activate", f"--listen={host}:{port}", "--fdname=wsrelay"),
        *passed,
        *command,
        cwd=folder,
    )
