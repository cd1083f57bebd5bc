"""What was measured: every run as it came out, and what is read from them together.

A figure is the median of all its runs. A ratio is wsrelay's figure divided by the peer's in the
run right after it, so that a slow hour of the machine counts for both; it is the median of the
pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import Any, NamedTuple

import msgspec

from .servers import RELAY, SERVERS
from .workloads import Workload

#: The share of a core that other programs may take before the machine is not quiet.
QUIET = 0.1


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run; ``against`` is the peer that it was paired with, ``said`` the load's answer."""

    workload: str
    against: str | None
    pair: int
    server: str
    said: dict[str, Any]

    @property
    def error(self) -> str | None:
        return self.said.get("error")

    def figure(self, workload: Workload) -> float | None:
        value = self.said.get(workload.figure.key)
        return None if self.error or value is None else float(value)


class Measurement(msgspec.Struct, kw_only=True):
    """When, where and of what something was measured; ``duration`` in seconds a run."""

    date: str
    machine: str
    versions: dict[str, str]
    pairs: int
    duration: float

    def words(self) -> str:
        """All of it, as it stands above a table."""
        versions = ", ".join(map(self.version, self.versions))
        return (
            f"Measured on {self.date}; pairs of runs: {self.pairs}, of {self.duration:g} s. "
            f"Machine: {self.machine}. Versions: {versions}."
        )

    def version(self, name: str) -> str:
        """``Soketi 1.6.1``."""
        return f"{SERVERS[name].title if name in SERVERS else name} {self.versions[name]}"


class Results(Measurement, kw_only=True):
    """A whole measurement, as its JSON file has it."""

    workloads: list[str]
    peers: list[str]
    runs: list[Run]

    def of(self, workload: Workload, server: str) -> list[Run]:
        return [run for run in self.runs if (run.workload, run.server) == (workload.name, server)]


class Spread(NamedTuple):
    """The middle of some values, and how far they reach."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread | None:
    """None if there are no values."""
    known = sorted(values)
    return Spread(median(known), known[0], known[-1]) if known else None


def figures(results: Results, workload: Workload, server: str) -> Spread | None:
    """Of the runs that have a figure."""
    found = (run.figure(workload) for run in results.of(workload, server))
    return spread(value for value in found if value is not None)


def ratios(results: Results, workload: Workload, peer: str) -> Spread | None:
    """wsrelay / peer, of the pairs in which both have a figure."""
    ours = {run.pair: run for run in results.of(workload, RELAY) if run.against == peer}
    found = []
    for run in results.of(workload, peer):
        mine = ours[run.pair].figure(workload) if run.pair in ours else None
        theirs = run.figure(workload)
        if mine is not None and theirs:
            found.append(mine / theirs)
    return spread(found)


def cost(results: Results, workload: Workload, server: str) -> Spread | None:
    """Microseconds of the server's processor for one delivery."""
    return spread(
        run.said["server_cpu"] / run.said["delivered_per_s"] * 1e6
        for run in results.of(workload, server)
        if run.said.get("delivered_per_s") and run.said.get("server_cpu") and not run.error
    )


def lost_share(results: Results, workload: Workload, server: str) -> float:
    """The part of all deliveries that never came, 0 to 1."""
    runs = results.of(workload, server)
    expected = sum(run.said.get("expected", 0) for run in runs)
    return sum(run.said.get("lost", 0) for run in runs) / expected if expected else 0.0


def percent(share: float) -> str:
    """Two digits, however small: ``34%``, ``0.0012%``."""
    return f"{share * 100:.2g}%"


def remarks(results: Results, workload: Workload, server: str) -> list[str]:
    """What a reader of the figure must know: failures, losses, and figures that are too small."""
    runs = results.of(workload, server)
    errors = Counter(" ".join(run.error.split())[:300] for run in runs if run.error)
    found = [f"{n} of {len(runs)} runs failed: {error}" for error, n in errors.items()]
    if share := lost_share(results, workload, server):
        lossy = sum(run.said.get("lost", 0) > 0 for run in runs)
        found.append(f"lost {percent(share)} of the deliveries, in {lossy} of {len(runs)} runs")
    if dead := sum(run.said.get("dead", 0) for run in runs if not run.error):
        found.append(f"{dead} connections closed during the runs")
    if any(run.said.get("reconnects") for run in runs):
        found.append("closes the connection after its answer; the client connects anew each time")
    if limited := sum(_is_load_the_limit(run) for run in runs):
        found.append(
            f"the load generator was the limit in {limited} of {len(runs)} runs: "
            "the server can do more"
        )
    return found


def disturbance(results: Results) -> str | None:
    """Whether other programs ran meanwhile, as a sentence; such figures are no use to anybody."""
    disturbed = sum(run.said.get("others_cpu", 0) > QUIET for run in results.runs)
    if not disturbed:
        return None
    runs = f"{disturbed} of {len(results.runs)} runs"
    return f"The machine was not quiet: in {runs} other programs took over {QUIET:.0%} of a core."


def _is_load_the_limit(run: Run) -> bool:
    """Its core was full while the server's was not."""
    return bool(run.said.get("load_cpu", 0) > 0.95 and run.said.get("server_cpu", 1) < 0.9)
