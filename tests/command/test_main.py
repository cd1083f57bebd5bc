"""wsrelay.command.main: help, completion and exit codes; the installed command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.command.conftest import Run
from tests.stories.processes import BIN, DEADLINE, environment
from tests.stories.processes import run as run_process
from wsrelay import __version__


def test_it_is_installed_and_says_its_version(tmp_path: Path) -> None:
    ended = run_process("wsrelay", "--version", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, f"{__version__}\n")


def test_the_help_stands_alone(run: Run) -> None:
    ended = run("--help")
    assert ended.code == 0
    for text in (
        "PUSHER_APP_ID",
        "--laravel-env",
        "wsrelay doctor --config /etc/wsrelay.toml",
        "78  the configuration has a fault",
        "_WSRELAY_COMPLETE=bash_source",
        *("config", "doctor", "listen", "sign", "status", "trigger"),
    ):
        assert text in ended.out, text


@pytest.mark.parametrize(
    "command",
    ["status", "doctor", "trigger", "listen", "sign channel", "sign user", "config check"],
)
def test_the_help_of_each_command_says_how_it_ends(command: str, run: Run) -> None:
    ended = run(*command.split(), "--help")
    assert ended.code == 0
    assert "Exit codes: 0" in ended.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nope",), "No such command 'nope'"),
        (("status", "--nope"), "No such option"),
        (("trigger", "channel"), "Missing argument 'EVENT'"),
        (("status", "--url", "relay.example"), "expected http:// or https://"),
        (("listen", "--user-info", "{", "presence-a"), "not JSON"),
        (("sign", "request", "GET", "apps"), "expected a path"),
        (("sign", "channel", "1.2", "presence-a"), "needs --channel-data"),
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_64(
    arguments: tuple[str, ...], told: str, run: Run
) -> None:
    ended = run(*arguments)
    assert ended.code == 64
    assert told in " ".join(ended.err.split())


def test_a_faulty_configuration_ends_with_78_and_one_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text("prot = 1")
    for command in (("status",), ("trigger", "a", "b"), ("doctor",), ("config", "show")):
        ended = run(*command, "--config", str(file))
        assert ended.code == 78
        assert ended.err.startswith(f"wsrelay: {file}: prot: unknown key; expected one of ")
        assert ended.err.count("\n") == 1


def test_an_app_that_is_not_configured_is_told_with_those_that_are(run: Run) -> None:
    ended = run("sign", "user", "1.2", "{}", "--app", "nobody")
    assert ended.code == 78
    assert "configured are: local-app-id" in ended.err


def test_completion_knows_the_commands(tmp_path: Path) -> None:
    asked = {"_WSRELAY_COMPLETE": "bash_complete", "COMP_WORDS": "wsrelay st", "COMP_CWORD": "1"}
    ended = run_process("wsrelay", cwd=tmp_path, **asked)
    assert ended.stdout == "plain,status\n"


def test_a_pipe_that_is_closed_is_no_error(tmp_path: Path) -> None:
    command = f"{BIN / 'wsrelay'} config show --json | head -c 1"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert "Traceback" not in ended.stderr
    assert ended.stdout == "{"
