"""A real relay with two apps, plain and over TLS, and the command run in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ports import free_port
from tests.stories.processes import Process, running
from tests.tls.authority import Authority
from wsrelay.command.main import main

SECRET = "hush-4be1d07c"
NAME = "relay.example"


class Ended(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


class Relay(NamedTuple):
    """The relay that runs, and a file by which the command finds it."""

    process: Process
    port: int
    tls_port: int
    metrics_port: int
    file: Path
    authority: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``wsrelay`` with these arguments and this environment; it never shows the secret."""

    def command(*arguments: str, **environment: str) -> Ended:
        with monkeypatch.context() as patches:
            patches.setattr("os.environ", environment)
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        code = ended.value.code
        assert isinstance(code, int)
        return Ended(code, out, err)

    return command


def apps(secret: str = SECRET) -> str:
    return f"""
[[apps]]
id = "1001"
key = "a-key"
secret = "{secret}"
[[apps]]
id = "2002"
key = "b-key"
secret = "{secret}-b"
"""


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    home = tmp_path_factory.mktemp("relay")
    authority = Authority()
    (home / "authority.pem").write_bytes(authority.pem)
    files = authority.issue(NAME, "127.0.0.1").store(home)
    file = home / "wsrelay.toml"
    tls = f'tls_cert = "{files.cert}"\ntls_key = "{files.key}"\n'
    metrics_port = free_port()
    tls += f"metrics_port = {metrics_port}\n"
    file.write_text(f'port = 0\ntls_port = 0\nhost = "127.0.0.1"\n{tls}{apps()}')
    command = ("twistd", "--nodaemon", "--pidfile=", "wsrelay", "--config", str(file))
    with running(*command, cwd=home, WSRELAY_METRICS_PORT=str(metrics_port)) as process:
        line = process.wait_for("Listening on .*").group()
        port, tls_port = map(int, re.findall(r"127\.0\.0\.1:(\d+)", line))
        file.write_text(f'port = {port}\ntls_port = {tls_port}\nhost = "127.0.0.1"\n{tls}{apps()}')
        file.chmod(0o600)
        process.wait_for("Metrics at ")
        yield Relay(process, port, tls_port, metrics_port, file, home / "authority.pem")
        assert SECRET not in process.text
