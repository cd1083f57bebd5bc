"""etc/supervisor.conf under the real Supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.managers.installed import installed, me, until_gone, until_up
from tests.ports import free_port
from tests.stories.processes import BIN, DEADLINE, environment

SUPERVISORD = """\
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
user={user}
[unix_http_server]
file={folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[include]
files={folder}/supervisor.conf
"""


class Supervisor:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        installed(
            "supervisor.conf",
            folder,
            self.port,
            **{"user=wsrelay": f"user={me()}", "/var/log/supervisor": str(folder)},
        )
        self._main = folder / "supervisord.conf"
        self._main.write_text(SUPERVISORD.format(folder=folder, user=me()))
        self.log = folder / "wsrelay.log"
        self._daemon = subprocess.Popen(
            [BIN / "supervisord", "--nodaemon", "-c", self._main],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ctl(self, *command: str) -> str:
        done = subprocess.run(
            [BIN / "supervisorctl", "-c", self._main, *command],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE * 2,
        )
        return done.stdout + done.stderr

    @property
    def process(self) -> int:
        return int(self.ctl("pid", "wsrelay"))

    def end(self) -> None:
        self._daemon.terminate()
        self._daemon.wait(DEADLINE * 2)


@pytest.fixture
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    started = Supervisor(tmp_path_factory.mktemp("s"))  # a path of a socket has to be short
    yield started
    started.end()


def test_it_is_started_restarted_after_a_crash_and_stopped(supervisor: Supervisor) -> None:
    until_up(supervisor.port)
    first = supervisor.process
    while "RUNNING" not in (status := supervisor.ctl("status", "wsrelay")):
        assert "STARTING" in status  # for its first second

    os.kill(first, signal.SIGKILL)
    until_gone(first)
    back = until_up(supervisor.port)
    assert back < DEADLINE / 2
    assert (second := supervisor.process) != first

    assert "wsrelay: started" in supervisor.ctl("restart", "wsrelay")
    until_up(supervisor.port)
    third = supervisor.process
    assert third not in (first, second)
    assert "Listening on 127.0.0.1" in supervisor.ctl("tail", "wsrelay", "stdout")

    assert "wsrelay: stopped" in supervisor.ctl("stop", "wsrelay")
    until_gone(third)
    log = supervisor.log.read_text()
    assert log.count("Listening on") == 3
    assert log.count("Server Shut Down") == 2
    assert "Traceback" not in log
