"""On what was measured: the machine, the system, the versions."""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from . import packages

ROOT = Path(__file__).parent.parent


def describe() -> str:
    """The machine in words; its load average tells whether something else ran."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    return ", ".join(
        (
            f"{found[1] if found else platform.machine()} with {os.cpu_count()} cores",
            f"{memory:.0f} GB",
            platform.freedesktop_os_release()["PRETTY_NAME"],
            f"kernel {platform.release()}",
            f"load average {os.getloadavg()[0]:.2f} before the start",
        )
    )


def versions() -> dict[str, str]:
    """What was measured and what it stands on, by the names of the command line."""
    return {
        "wsrelay": version("wsrelay") + _commit(),
        **packages.versions(),
        "Python": platform.python_version(),
        "Twisted": version("twisted"),
        "Autobahn": version("autobahn"),
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
        **_node(),
    }


def _node() -> Mapping[str, str]:
    if shutil.which("node") is None:
        return {}
    return {"Node.js": _said(["node", "--version"]).removeprefix("v")}


def _commit() -> str:
    """`` (1a2b3c4)``, with a ``+`` if the files differ from it; empty without git."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return ""
    has_changed = _said(["git", "status", "--porcelain", "--", "wsrelay"])
    return f" ({_said(['git', 'rev-parse', '--short', 'HEAD'])}{'+' if has_changed else ''})"


def _said(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
