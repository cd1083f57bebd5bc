"""The programs and npm packages that the clients need."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DEBIAN_PACKAGE = {"node": "nodejs", "npm": "npm", "chromium": "chromium"}


def tool(name: str) -> str:
    """The path of a program; fails the test where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(
            f"{name} is missing, and the tests of real programs need it: "
            f"apt-get install {DEBIAN_PACKAGE[name]}",
            pytrace=False,
        )
    return found


def install(folder: Path = HERE) -> None:
    """Brings ``node_modules`` to what ``package-lock.json`` says, unless it is there already.

    One process at a time does it; the others wait for it.
    """
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    modules = folder / "node_modules"
    stamp = modules / ".wsrelay-installed"
    with open(folder / "package.json") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"npm ci failed in {folder}:\n{done.stdout}{done.stderr}")
        stamp.write_text(wanted)
