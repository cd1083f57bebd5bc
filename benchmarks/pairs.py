"""Who runs after whom: wsrelay and a peer by turns, so that both meet the same weather."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import generator
from .errors import CannotMeasure
from .results import Run
from .servers import RELAY, SERVERS, running
from .workloads import Workload


@dataclass(frozen=True)
class Turn:
    """A run to be made."""

    workload: Workload
    against: str | None
    pair: int
    server: str


def turns(workloads: Sequence[Workload], peers: Sequence[str], pairs: int) -> Iterator[Turn]:
    """A B A B …, first with one peer, then with the next; alone where no peer can."""
    for workload in workloads:
        able: list[str | None] = [peer for peer in peers if SERVERS[peer].can(workload)]
        for peer in able or [None]:
            for pair in range(1, pairs + 1):
                yield Turn(workload, peer, pair, RELAY)
                if peer is not None:
                    yield Turn(workload, peer, pair, peer)


def take(turn: Turn, program: Path, directory: Path, duration: float) -> Run:
    """One run on a fresh server; whatever goes wrong is in the answer's ``error``."""
    return Run(
        workload=turn.workload.name,
        against=turn.against,
        pair=turn.pair,
        server=turn.server,
        said=_said(turn, program, directory, duration),
    )


def _said(turn: Turn, program: Path, directory: Path, duration: float) -> dict[str, Any]:
    workload = turn.workload
    try:
        with running(SERVERS[turn.server], workload.needs, directory) as server:
            said = generator.run(
                program, workload, port=server.port, server_pid=server.pid, duration=duration
            )
            if words := server.last_words():
                said["error"] = f"the server ended, {words}"
            return said
    except CannotMeasure as failure:
        return {"error": str(failure)}
