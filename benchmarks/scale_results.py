"""What was measured of several nodes on one Redis, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import msgspec

from .results import QUIET, Measurement, Spread, percent, spread
from .servers import SERVERS
from .table import table
from .workloads import DELIVERIES, LATENCY, three_digits

COMPARED = ("wsrelay", "soketi")
#: Events a second of each member, where the load is steady.
HERTZ = 8
#: Commands of Redis that carry an event to other nodes.
PUBLISHING = ("publish", "spublish")


class Case(NamedTuple):
    """What is measured; ``is_steady``: ``HERTZ`` events a second each, else as many as go."""

    nodes: int
    is_spread: bool
    is_steady: bool

    def __str__(self) -> str:
        rooms = "spread" if self.is_spread else "kept together"
        load = f"{HERTZ} Hz" if self.is_steady else "closed loop"
        return f"{self.nodes} nodes, rooms {rooms}, {load}"


CASES = [Case(*case) for case in product((2, 4), (False, True), (False, True))]

#: A run's figures: how each is headed and written.
COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "deliveries": ("deliveries a second", DELIVERIES.text),
    "p99_ms": ("p99", LATENCY.text),
    "lost": ("lost", percent),
    "cost": ("µs a delivery", three_digits),
    "published": ("Redis publishes an event", three_digits),
    "commands": ("Redis commands an event", three_digits),
    "commands_per_delivery": ("Redis commands a delivery", three_digits),
}


class ScaleRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run; ``said`` is the answer of each generator, ``redis`` how often each command
    ran a second while that was counted."""

    case: Case
    pair: int
    server: str
    said: list[dict[str, Any]]
    redis: dict[str, float]

    @property
    def error(self) -> str | None:
        return next((said["error"] for said in self.said if "error" in said), None)

    def total(self, key: str) -> float:
        return float(sum(said[key] for said in self.said))

    def figures(self) -> dict[str, float]:
        """``cost`` in microseconds of nodes and Redis; commands are Redis's, an event sent."""
        deliveries = max(self.total("delivered_per_s"), 1)
        events = max(self.total("published_per_s"), 1)
        return {
            "deliveries": deliveries,
            "p99_ms": max(said["p99_ms"] for said in self.said),
            "lost": self.total("lost") / max(self.total("expected"), 1),
            # The first generator watches all nodes, and Redis.
            "cost": self.said[0]["server_cpu"] / deliveries * 1e6,
            "published": sum(self.redis.get(name, 0) for name in PUBLISHING) / events,
            "commands": sum(self.redis.values()) / events,
            "commands_per_delivery": sum(self.redis.values()) / deliveries,
        }

    def others(self) -> float:
        """The share of a core that neither servers nor any of the generators took."""
        return float(self.said[0]["others_cpu"] - sum(said["load_cpu"] for said in self.said[1:]))


class Scale(Measurement, kw_only=True):
    """A whole measurement, as ``scale.json`` has it."""

    runs: list[ScaleRun]

    def spread(self, case: Case, server: str, name: str) -> Spread | None:
        """Of the runs that have that figure."""
        runs = [run for run in self.runs if (run.case, run.server) == (case, server)]
        return spread(run.figures()[name] for run in runs if run.error is None)


def disturbance(scale: Scale) -> str:
    """What a reader must know: failures, and whether other programs ran meanwhile."""
    busy = sum(run.error is None and run.others() > QUIET for run in scale.runs)
    failed = sum(run.error is not None for run in scale.runs)
    if not busy and not failed:
        return ""
    return (
        f"Of {len(scale.runs)} runs {failed} failed, and in {busy} other programs took over "
        f"{QUIET:.0%} of a core."
    )


def markdown(scale: Scale) -> str:
    """What was measured where, what went wrong, and a line for each case and server."""
    parts = [scale.words()]
    if disturbed := disturbance(scale):
        parts.append(f"**{disturbed}**")
    head = ["nodes, rooms, load", "server", *(title for title, _ in COLUMNS.values())]
    rows = []
    for case, server in product(CASES, COMPARED):
        found = {name: scale.spread(case, server, name) for name in COLUMNS}
        cells = [
            "failed" if values is None else COLUMNS[name][1](values.median)
            for name, values in found.items()
        ]
        rows.append([str(case), SERVERS[server].title, *cells])
    parts.append(table(head, rows))
    return "\n\n".join(parts) + "\n"
