"""etc/ecosystem.config.cjs under the real PM2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.packages import install, tool
from tests.managers.installed import installed, until_gone, until_up
from tests.ports import free_port
from tests.stories.processes import DEADLINE, environment

HERE = Path(__file__).parent


class Pm2:
    def __init__(self, folder: Path) -> None:
        install(HERE)
        self._node = tool("node")
        self._folder = folder
        self.port = free_port()
        self.file = installed("ecosystem.config.cjs", folder, self.port)

    def do(self, *command: str) -> str:
        done = subprocess.run(
            [self._node, HERE / "node_modules" / "pm2" / "bin" / "pm2", *command],
            cwd=self._folder,
            env=environment(PM2_HOME=str(self._folder / "home"), PM2_DISCRETE_MODE="true"),
            capture_output=True,
            text=True,
            timeout=DEADLINE * 3,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def relay(self) -> Any:
        listed = self.do("jlist")
        [relay] = json.loads(listed[listed.index("[{") :])
        assert relay["name"] == "wsrelay"
        return relay


@pytest.fixture
def pm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pm2]:
    started = Pm2(tmp_path_factory.mktemp("p"))
    yield started
    started.do("kill")


def test_it_is_started_restarted_after_a_crash_and_stopped(pm2: Pm2) -> None:
    pm2.do("start", str(pm2.file))
    until_up(pm2.port)
    first = pm2.relay["pid"]
    assert pm2.relay["pm2_env"]["status"] == "online"
    assert "wsrelay" in pm2.do("status")

    os.kill(first, signal.SIGKILL)
    until_gone(first)
    back = until_up(pm2.port)
    assert back < DEADLINE / 2
    second = pm2.relay["pid"]

    pm2.do("restart", "wsrelay")
    until_up(pm2.port)
    third = pm2.relay["pid"]
    assert len({first, second, third}) == 3

    pm2.do("stop", "wsrelay")
    until_gone(third)
    assert pm2.relay["pm2_env"]["status"] == "stopped"
    log = pm2.do("logs", "wsrelay", "--nostream", "--lines", "500")
    assert log.count("Listening on 127.0.0.1") == 3
    assert log.count("Server Shut Down") == 2
    assert "Traceback" not in log
