"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from . import generator, machine, packages, report, servers
from .errors import CannotMeasure
from .pairs import take, turns
from .results import Results, Run
from .servers import PEERS, SERVERS
from .table import markdown
from .workloads import WORKLOADS, Workload

#: Files that a server and the load have open besides their connections.
OTHER_FILES = 100


def main() -> None:
    """Exits with 1 if nothing can be measured, 130 when interrupted; finished runs are kept."""
    wanted = arguments(sys.argv[1:])
    wanted.output = wanted.output.resolve()
    wanted.output.mkdir(parents=True, exist_ok=True)
    try:
        if wanted.redraw:
            results = report.joined([report.load(file) for file in wanted.redraw])
        else:
            results = measure(wanted)
    except CannotMeasure as problem:
        raise SystemExit(f"benchmarks: {problem}") from None
    except KeyboardInterrupt:
        sys.exit(130)
    report.draw(results, wanted.output)
    if wanted.publish:
        report.publish(results)
    sys.stdout.write(markdown(results))


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The options; workloads and peers in the order of their tables."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/run",
        description="Measures wsrelay beside its peers: a table, a chart and all runs as JSON.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Workloads:\n"
        + "\n".join(f"  {name:14}{workload.title}" for name, workload in WORKLOADS.items())
        + "\nPeers:\n"
        + "\n".join(f"  {name:14}{SERVERS[name].title}" for name in PEERS),
    )
    parser.add_argument(
        "--workloads",
        type=_some_of(WORKLOADS),
        default=list(WORKLOADS),
        metavar="A,B",
        help="these only [all]",
    )
    parser.add_argument(
        "--peers",
        type=_some_of(PEERS),
        default=list(PEERS),
        metavar="A,B",
        help="beside these only; '' is wsrelay alone [all]",
    )
    parser.add_argument("--pairs", type=int, default=5, help="pairs with each peer [5]")
    parser.add_argument("--duration", type=float, default=5.0, help="seconds counted a run [5]")
    parser.add_argument(
        "--output",
        type=Path,
        default=report.ROOT / "build" / "benchmarks",
        help="folder for results.json, results.md and results.svg [build/benchmarks]",
    )
    parser.add_argument("--publish", action="store_true", help="also into docs/performance.md")
    parser.add_argument(
        "--redraw",
        type=Path,
        nargs="+",
        metavar="JSON",
        help="measure nothing: show these results, which may be parts of one measurement",
    )
    return parser.parse_args(words)


def measure(wanted: argparse.Namespace) -> Results:
    """All runs, one after the other, with a progress bar on standard error."""
    workloads = [WORKLOADS[name] for name in wanted.workloads]
    check_machine(workloads)
    program = generator.build(wanted.output)
    if wanted.peers:
        packages.install()
    results = Results(
        date=f"{datetime.now(UTC):%-d %B %Y}",
        machine=machine.describe(),
        versions=machine.versions(),
        pairs=wanted.pairs,
        duration=wanted.duration,
        workloads=wanted.workloads,
        peers=wanted.peers,
        runs=[],
    )
    todo = list(turns(workloads, wanted.peers, wanted.pairs))
    with progress_bar() as progress:
        task = progress.add_task("", total=len(todo))
        for turn in todo:
            title = f"{turn.workload.name}, {SERVERS[turn.server].title}"
            progress.update(task, description=title)
            run = take(turn, program, wanted.output, wanted.duration)
            results.runs.append(run)
            report.save(results, wanted.output / "results.json")
            line = escape(f"{title}, pair {turn.pair}: {_outcome(run)}")
            progress.console.print(line, soft_wrap=True)
            progress.advance(task)
    return results


def check_machine(workloads: Sequence[Workload]) -> None:
    """Raises the limit of open files as far as it goes; CannotMeasure says what is missing."""
    if not {servers.CORE, generator.CORE} <= os.sched_getaffinity(0):
        raise CannotMeasure("two processor cores are needed, one for a server, one for the load")
    if shutil.which("taskset") is None:
        raise CannotMeasure("taskset is missing: apt-get install util-linux")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    needed = max(workload.connections for workload in workloads) + OTHER_FILES
    if most < needed:
        raise CannotMeasure(f"{needed} open files are needed, {most} allowed: see ulimit -Hn")


def _outcome(run: Run) -> str:
    workload = WORKLOADS[run.workload]
    value = run.figure(workload)
    if value is None:
        return f"failed: {run.error}"
    lost = f", {run.said['lost']} of {run.said['expected']} lost" if run.said.get("lost") else ""
    return f"{workload.figure.text(value)} {workload.figure.title}{lost}"


def progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False),
        # Drawing takes time from the cores that are measured.
        refresh_per_second=1,
    )


def _some_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Reads ``a,b``: names that are known, put in the order in which they are."""

    def names(text: str) -> list[str]:
        given = [name for name in text.split(",") if name]
        for name in given:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of: {', '.join(known)}")
        return [name for name in known if name in given]

    return names


if __name__ == "__main__":
    main()
