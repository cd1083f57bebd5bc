"""The npm packages of the peers, at the versions that ``peers/package-lock.json`` has."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping

from .errors import CannotMeasure
from .servers import PEERS_DIRECTORY

_PACKAGE = {"soketi": "@soketi/soketi", "ws": "ws", "uws": "uWebSockets.js"}


def install() -> None:
    """Brings ``peers/node_modules`` to what the lock file says, unless it is there already."""
    wanted = (PEERS_DIRECTORY / "package-lock.json").read_bytes()
    stamp = PEERS_DIRECTORY / "node_modules" / ".wsrelay-installed"
    if stamp.exists() and stamp.read_bytes() == wanted:
        return
    for tool, package in (("node", "nodejs"), ("npm", "npm")):
        if shutil.which(tool) is None:
            raise CannotMeasure(f"{tool} is missing, to run the peers: apt-get install {package}")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=PEERS_DIRECTORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMeasure(f"npm ci failed in {PEERS_DIRECTORY}:\n{done.stdout}{done.stderr}")
    stamp.write_bytes(wanted)


def versions() -> Mapping[str, str]:
    """The exact version of each peer, by its name on the command line."""
    wanted = json.loads((PEERS_DIRECTORY / "package.json").read_text())["dependencies"]
    return {peer: wanted[package].rpartition("@")[2] for peer, package in _PACKAGE.items()}
