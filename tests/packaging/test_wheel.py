"""The wheel as a stranger gets it: built, installed into a clean environment, started and stopped.

Slow (it installs every dependency anew) and worth it: a plugin left out of the wheel, or a
module that only the checkout has, shows nowhere else.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PLUGIN = "twisted/plugins/wsrelay_plugin.py"

# Seconds; far more than is needed, for a machine that does something else meanwhile.
INSTALL_DEADLINE = 300
DEADLINE = 60


def clean_environment() -> dict[str, str]:
    """The environment without what would configure the relay or have Python look elsewhere."""
    ours = ("WSRELAY_", "WEBSOCKET_", "PUSHER_", "REVERB_", "PYTHON", "COVERAGE_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def run(*command: str | Path, cwd: Path) -> str:
    """Run to the end and return what it printed; fails with that text."""
    finished = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_DEADLINE,
    )
    assert finished.returncode == 0, f"{command} gave {finished.returncode}:\n{finished.stdout}"
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy: setuptools packs what an old build/ holds."""
    copy = tmp_path_factory.mktemp("copy") / "wsrelay"
    left_behind = shutil.ignore_patterns(
        ".*", "build", "dist", "*.egg-info", "node_modules", "__pycache__", "dropin.cache"
    )
    shutil.copytree(CHECKOUT, copy, ignore=left_behind)
    dist = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", dist, copy, cwd=dist)
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a new environment that holds the wheel and its dependencies alone."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=True)
    run(home / "bin" / "pip", "install", "--disable-pip-version-check", wheel, cwd=home)
    return home / "bin"


@pytest.fixture
def relay(installed: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``twistd -n wsrelay`` on a free port, in an empty directory; killed if still there after."""
    process = subprocess.Popen(
        [installed / "twistd", "-n", "wsrelay", "--port", "0"],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        yield process
        process.kill()


def read_until(process: subprocess.Popen[bytes], pattern: str) -> re.Match[str]:
    """What ``pattern`` finds in the output so far; fails when it ends or the deadline passes."""
    assert process.stdout is not None
    seen = ""
    deadline = time.monotonic() + DEADLINE
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(deadline - time.monotonic()):
            read = os.read(process.stdout.fileno(), 65536)
            seen += read.decode()
            if found := re.search(pattern, seen):
                return found
            if not read:
                break
    pytest.fail(f"no {pattern!r} in what it said until it ended or {DEADLINE} s passed:\n{seen}")


def test_the_wheel_holds_the_package_and_the_plugin_and_nothing_else(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / "wsrelay").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == package | {PLUGIN}


@pytest.mark.parametrize("command", ["twistd", "twist"])
def test_twistd_and_twist_list_the_relay(command: str, installed: Path, tmp_path: Path) -> None:
    listed = run(installed / command, "--help", cwd=tmp_path)
    assert re.search(r"^ +wsrelay +A Pusher-protocol WebSocket relay\.", listed, re.MULTILINE)


def test_the_command_comes_with_it(installed: Path, tmp_path: Path) -> None:
    told = run(installed / "wsrelay", "config", "show", cwd=tmp_path)
    assert re.search(r"^port +6001 +default", told, re.MULTILINE)


def test_the_installed_relay_starts_answers_and_stops(relay: subprocess.Popen[bytes]) -> None:
    port = read_until(relay, r"Listening on \S*?:(\d+)\b(?!:).*\n").group(1)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/up", timeout=DEADLINE) as answer:
        assert answer.status == 200

    relay.send_signal(signal.SIGTERM)
    read_until(relay, r"Server Shut Down\.\n")
    # Having stopped its services, twistd ends itself by the signal it was sent (Twisted 26.10).
    assert relay.wait(DEADLINE) == -signal.SIGTERM
