"""etc/logrotate.conf with the real logrotate, and the daemon whose log it is."""

from __future__ import annotations

import grp
import gzip
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.managers.installed import configuration, installed, me, until_gone, until_up
from tests.memory import handshake
from tests.ports import free_port
from tests.stories.processes import DEADLINE, run

#: Debian has it where only root looks.
PATH = f"{os.environ['PATH']}:/usr/sbin"
LOGROTATE = shutil.which("logrotate", path=PATH)


def wait_for(text: str, file: Path) -> str:
    ends = time.monotonic() + DEADLINE
    while not file.exists() or text not in file.read_text():
        assert time.monotonic() < ends, f"no {text!r} in {file}"
        time.sleep(0.01)
    return file.read_text()


def knock(port: int, key: str) -> None:
    """Be refused, which is a line in the log that names the key."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        client.sendall(handshake(key))
        assert b"101 Switching" in client.recv(4096)


def test_the_log_goes_on_in_the_new_file_and_no_line_is_lost(tmp_path: Path) -> None:
    assert LOGROTATE is not None, "apt-get install logrotate"
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o755)
    log, pid_file, port = logs / "wsrelay.log", tmp_path / "twistd.pid", free_port()
    group = grp.getgrgid(os.getgid()).gr_name
    rules = installed(
        "logrotate.conf",
        tmp_path,
        port,
        **{
            "/var/log/wsrelay": str(logs),
            "/run/wsrelay/twistd.pid": str(pid_file),
            "create 0640 wsrelay wsrelay": f"create 0640 {me()} {group}",
        },
    )
    rules.chmod(0o644)
    arguments = (f"--logfile={log}", f"--pidfile={pid_file}", "wsrelay")
    started = run(
        "twistd", *arguments, "--config", str(configuration(tmp_path, port)), cwd=tmp_path
    )
    assert started.returncode == 0, started.stderr
    process = int(pid_file.read_text())
    try:
        until_up(port)
        for number in range(3):
            knock(port, f"visit-{number}")
            wait_for(f"visit-{number}", log)
            subprocess.run(
                [LOGROTATE, "--force", "--state", tmp_path / "state", rules],
                check=True,
                timeout=DEADLINE,
            )
            assert log.read_text() == ""
        knock(port, "visit-3")
        wait_for("visit-3", log)
    finally:
        os.kill(process, signal.SIGTERM)
    until_gone(process)
    wait_for("Server Shut Down", log)
    assert "visit-2" in (logs / "wsrelay.log.1").read_text()
    assert "visit-1" in gzip.decompress((logs / "wsrelay.log.2.gz").read_bytes()).decode()
    assert "visit-0" in gzip.decompress((logs / "wsrelay.log.3.gz").read_bytes()).decode()
    assert sorted(file.name for file in logs.iterdir()) == [
        "wsrelay.log",
        "wsrelay.log.1",
        "wsrelay.log.2.gz",
        "wsrelay.log.3.gz",
    ]
