"""The load generator: built from ``load/pusherload.c``, pinned to its core, its answer read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .errors import CannotMeasure
from .workloads import Workload

CORE = 1
SOURCE = Path(__file__).parent / "load" / "pusherload.c"
#: Seconds that it may spend on connecting (it gives up itself) and on cleaning up.
CONNECTING, CLEANING_UP = 120.0, 30.0
#: Seconds before counting starts: compilers of peers warm up, TCP windows open.
WARMUP = 2.0

_DEBIAN_PACKAGE = {"openssl/": "libssl-dev", "zlib.h": "zlib1g-dev", "": "libc6-dev"}


def build(directory: Path) -> Path:
    """The compiled program, in ``directory``; CannotMeasure names the package that is missing."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotMeasure("cc is missing, to build the load generator: apt-get install gcc")
    program = directory / "pusherload"
    libraries = ["-lssl", "-lcrypto", "-lz"]
    done = subprocess.run(
        [compiler, "-O2", "-o", program, SOURCE, *libraries],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return program
    missing = re.search(r"fatal error: (\S+): No such file", done.stderr)
    for header, package in _DEBIAN_PACKAGE.items():
        if missing and missing[1].startswith(header):
            raise CannotMeasure(f"to build the load generator: apt-get install {package}")
    raise CannotMeasure(f"the load generator does not build:\n{done.stderr}")


def run(
    program: Path,
    workload: Workload,
    *,
    port: int,
    server_pid: int | str,
    duration: float,
    cores: str = str(CORE),
    heard: Path | None = None,
) -> dict[str, Any]:
    """What the load generator says of one run; ``error`` if it has no figure.

    ``server_pid`` may be several, with commas between them; ``cores`` is for ``taskset``.
    ``heard`` is a file that takes what it says meanwhile, such as that all are ready.
    """
    warmup = min(WARMUP, duration)
    command = [
        *("taskset", "-c", cores, str(program)),
        *("--port", str(port), "--server", str(server_pid)),
        *workload.flags,
        *(f"--{need}" for need in sorted(workload.needs - {"http"})),
        *(workload.lasting, f"{duration:g}", "--warmup", f"{warmup:g}"),
    ]
    deadline = CONNECTING + warmup + duration + CLEANING_UP
    try:
        with heard.open("w") if heard else nullcontext(subprocess.PIPE) as stderr:
            done = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                timeout=deadline,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return {"error": f"the load generator had not ended after {deadline:g} s"}
    complaints = heard.read_text() if heard else done.stderr
    return answer(done.stdout, complaints.splitlines(), done.returncode)


def answer(stdout: str, complaints: Sequence[str], status: int) -> dict[str, Any]:
    """Its one line of JSON; an error is joined by the first things that it complained of."""
    try:
        said: dict[str, Any] = json.loads(stdout)
    except ValueError:
        said = {"error": f"the load generator ended with status {status}"}
    if "error" in said:
        said["error"] = "; ".join([said["error"], *dict.fromkeys(complaints)][:3])
    return said
