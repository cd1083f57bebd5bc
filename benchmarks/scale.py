"""Several nodes on one Redis, wsrelay and Soketi by turns. ``python -m benchmarks.scale``

Forty rooms of 25 in which everybody talks, on two nodes and on four. Kept together: each room has
all its members on one node. Spread: every other member of each room is on a second node. Nodes,
Redis and load share two cores, so a figure says what a delivery costs, not how far it scales.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
from rich.markup import escape

from . import generator, machine, packages, report
from .__main__ import check_machine, progress_bar
from .errors import CannotMeasure
from .scale_chart import svg
from .scale_results import CASES, COMPARED, HERTZ, Case, Scale, ScaleRun, markdown
from .servers import CORE, SERVERS, Running, Server, running
from .workloads import DELIVERIES, LATENCY, WORKLOADS, Workload

BEGIN = "<!-- scale: written by `python -m benchmarks.scale --publish` -->"
END = "<!-- end of scale -->"
CHART = report.PAGE.with_name("performance-nodes.svg")
CORES = f"{CORE},{generator.CORE}"
ROOMS, MEMBERS = 40, 25

REDIS = Server(
    "redis-server",
    lambda place: [
        *("redis-server", "--bind", "127.0.0.1", "--port", str(place.port)),
        *("--save", "", "--appendonly", "no"),
    ],
    "Ready to accept connections",
    frozenset(),
)


def joined(server: Server, redis: Running) -> Server:
    """The server as a node of the others on that Redis."""
    return replace(
        server,
        environment=lambda place: {
            **server.environment(place),
            "WSRELAY_REDIS": f"redis://127.0.0.1:{redis.port}/0",
            "WSRELAY_METRICS_PORT": "0",
            "SOKETI_ADAPTER_DRIVER": "redis",
            "SOKETI_DB_REDIS_HOST": "127.0.0.1",
            "SOKETI_DB_REDIS_PORT": str(redis.port),
        },
    )


def take(case: Case, pair: int, server: str, directory: Path, duration: float) -> ScaleRun:
    """One run on fresh nodes and a fresh Redis; what goes wrong is in an answer's ``error``."""
    said: list[dict[str, Any]] = []
    calls: dict[str, float] = {}
    try:
        with ExitStack() as stack:
            redis = stack.enter_context(running(REDIS, frozenset(), directory, CORES))
            nodes = []
            for number in range(case.nodes):
                home = directory / f"node-{number}"
                home.mkdir(exist_ok=True)
                node = running(joined(SERVERS[server], redis), frozenset(), home, CORES)
                nodes.append(stack.enter_context(node))
            said, calls = talked(case, nodes, redis, directory / "pusherload", duration)
            said += [{"error": words} for node in nodes if (words := node.last_words())]
    except (CannotMeasure, subprocess.CalledProcessError) as failure:
        said = [{"error": str(failure)}]
    return ScaleRun(case=case, pair=pair, server=server, said=said, redis=calls)


def talked(
    case: Case, nodes: Sequence[Running], redis: Running, program: Path, duration: float
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """A generator for each node, or for each two that share rooms; what each says, and Redis."""
    shares = (
        list(zip(nodes[::2], nodes[1::2], strict=True)) if case.is_spread else [(n,) for n in nodes]
    )
    heard = [program.with_name(f"heard-{number}") for number in range(len(shares))]
    for file in heard:
        file.write_text("")
    gate = program.with_name("gate")
    gate.unlink(missing_ok=True)
    everybody = ",".join(str(process.pid) for process in (*nodes, redis))

    def talk(number: int, share: Sequence[Running]) -> dict[str, Any]:
        flags = (
            *("--rooms", str(ROOMS // len(shares)), "--members", str(MEMBERS)),
            *("--publishers", str(MEMBERS), "--size", "200"),
            *(("--rate", str(HERTZ)) if case.is_steady else ("--window", "1")),
            *("--prefix", f"private-load-{number}", "--gate", str(gate)),
            *(("--port2", str(share[1].port)) if case.is_spread else ()),
        )
        return generator.run(
            program,
            Workload(str(case), str(case), LATENCY if case.is_steady else DELIVERIES, flags),
            port=share[0].port,
            server_pid=everybody,
            duration=duration,
            cores=CORES,
            heard=heard[number],
        )

    with ThreadPoolExecutor(len(shares)) as pool:
        answers = [pool.submit(talk, *share) for share in enumerate(shares)]
        # Together, or the last would talk alone; and joining has commands of its own.
        while not all(" ready in " in file.read_text() for file in heard):
            if any(answer.done() for answer in answers):
                break
            time.sleep(0.02)
        gate.touch()
        time.sleep(min(generator.WARMUP, duration))
        before, began = commands(redis), time.monotonic()
        time.sleep(duration)
        after, seconds = commands(redis), time.monotonic() - began
        calls = {name: (n - before.get(name, 0)) / seconds for name, n in after.items()}
        return [answer.result() for answer in answers], calls


def commands(redis: Running) -> dict[str, int]:
    """How often each command has run so far."""
    asked = ["redis-cli", "-p", str(redis.port), "INFO", "commandstats"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    lines = (line.partition(":calls=") for line in said.splitlines() if ":calls=" in line)
    return {name.removeprefix("cmdstat_"): int(rest.split(",")[0]) for name, _, rest in lines}


def measure(pairs: int, duration: float, directory: Path) -> Scale:
    """All runs, one after the other, with a line for each on standard error."""
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        raise CannotMeasure("Redis is missing: apt-get install redis-server")
    check_machine([WORKLOADS["steady"]])
    generator.build(directory)
    packages.install()
    said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True)
    known = {name: v for name, v in machine.versions().items() if name not in ("ws", "uws")}
    scale = Scale(
        date=f"{datetime.now(UTC):%-d %B %Y}",
        machine=machine.describe(),
        versions={**known, "Redis": said.stdout.split("v=")[1].split()[0]},
        pairs=pairs,
        duration=duration,
        runs=[],
    )
    todo = list(product(CASES, range(1, pairs + 1), COMPARED))
    with progress_bar() as progress:
        task = progress.add_task("", total=len(todo))
        for case, pair, server in todo:
            title = f"{case}, {SERVERS[server].title}"
            progress.update(task, description=title)
            run = take(case, pair, server, directory, duration)
            scale.runs.append(run)
            report.save(scale, directory / "scale.json")
            found = run.error or ", ".join(f"{k} {v:.4g}" for k, v in run.figures().items())
            progress.console.print(escape(f"{title}, pair {pair}: {found}"), soft_wrap=True)
            progress.advance(task)
    return scale


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs for each case [3]")
    parser.add_argument("--duration", type=float, default=3.0, help="seconds counted a run [3]")
    parser.add_argument("--publish", action="store_true", help="also into docs/performance.md")
    parser.add_argument(
        "--redraw", action="store_true", help="measure nothing: show build/benchmarks/scale.json"
    )
    wanted = parser.parse_args()
    directory = report.ROOT / "build" / "benchmarks"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        if wanted.redraw:
            scale = msgspec.json.decode((directory / "scale.json").read_bytes(), type=Scale)
        else:
            scale = measure(wanted.pairs, wanted.duration, directory)
    except CannotMeasure as problem:
        raise SystemExit(f"benchmarks: {problem}") from None
    except KeyboardInterrupt:
        sys.exit(130)
    text = markdown(scale)
    if wanted.publish:
        CHART.write_text(svg(scale))
        figures = f"![Several nodes beside each other]({CHART.name})\n\n{text}"
        page = report.PAGE.read_text()
        report.PAGE.write_text(report.with_figures(page, figures, BEGIN, END))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
