"""sslyze, in an environment of its own: it wants an older cryptography (6.3: under 47) than we."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUIREMENT = "sslyze >= 6.3, < 7"
HERE = Path(__file__).parents[2] / ".venv-sslyze"
#: Seconds for a scan, which takes one or two.
DEADLINE = 60.0


def install() -> Path:
    """The program; installed at the first use, by one process while others wait."""
    stamp = HERE / "installed"
    with open(__file__) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != REQUIREMENT:
            for command in (
                [sys.executable, "-m", "venv", "--clear", HERE],
                [HERE / "bin" / "pip", "install", "--disable-pip-version-check", REQUIREMENT],
            ):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise RuntimeError(f"{REQUIREMENT}: {done.stdout}{done.stderr}")
            stamp.write_text(REQUIREMENT)
    return HERE / "bin" / "sslyze"


def scan(port: int, root: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """What it says of Mozilla's intermediate profile, and all that it has found."""
    found = root.with_suffix(".json")
    command = [
        *(install(), "--mozilla_config=intermediate", "--certinfo_ca_file", root),
        *("--json_out", found, *options, f"localhost:{port}"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=DEADLINE, cwd=root.parent
    )
    told = done.stdout.partition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    assert told, done.stdout + done.stderr
    [server] = json.loads(found.read_text())["server_scan_results"]
    results = {name: scan["result"] for name, scan in server["scan_result"].items()}
    return told, results
