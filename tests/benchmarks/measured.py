"""Results as a measurement would leave them."""

from __future__ import annotations

from typing import Any

from benchmarks.results import Results, Run


def run(server: str, pair: int = 1, /, workload: str = "hall", **said: Any) -> Run:
    """Paired with Soketi."""
    return Run(workload=workload, against="soketi", pair=pair, server=server, said=said)


def results(*runs: Run) -> Results:
    return Results(
        date="1 May 2026",
        machine="A machine with 2 cores",
        versions={"wsrelay": "1.2.3", "soketi": "1.6.1", "uws": "20"},
        pairs=3,
        duration=5.0,
        workloads=["hall", "steady", "publish", "hall-10000"],
        peers=["soketi", "uws"],
        runs=list(runs),
    )
