"""What is measured: the flags of the load generator, and which of its figures counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Need = Literal["http", "tls", "deflate"]


@dataclass(frozen=True)
class Figure:
    """One number of the load generator's answer: its key there, and how people read it."""

    key: str
    title: str
    is_more_better: bool = True
    unit: Literal["", "ms", "KB"] = ""

    def text(self, value: float) -> str:
        """Three digits and a unit: ``84.1 k``, ``0.71 ms``, ``4.6 KB``; KB are 1024 bytes."""
        if self.unit == "ms":
            is_long = value >= 999.5
            return f"{three_digits(value / 1e3)} s" if is_long else f"{three_digits(value)} ms"
        if self.unit == "KB":
            return f"{value / 1024:.1f} KB"
        if value >= 999_500:
            return f"{three_digits(value / 1e6)} M"
        if value >= 999.5:
            return f"{three_digits(value / 1e3)} k"
        return three_digits(value)


def three_digits(value: float) -> str:
    """``0.023``, ``2.34``, ``23.4``, ``234`` and, beyond three, ``2345``."""
    decimals = 3 if value < 0.0995 else 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f}"


DELIVERIES = Figure("delivered_per_s", "deliveries a second")
LATENCY = Figure("p99_ms", "99th percentile of the time to deliver", False, "ms")
MEMORY = Figure("rss_per_connection", "resident memory a connection", False, "KB")
HANDSHAKES = Figure("handshakes_per_s", "handshakes a second")
PUBLISHES = Figure("requests_per_s", "publishes a second")


@dataclass(frozen=True)
class Workload:
    """``needs`` is what a server must be able to do; ``lasting`` the flag that takes seconds."""

    name: str
    title: str
    figure: Figure
    flags: tuple[str, ...]
    needs: frozenset[Need] = frozenset()
    lasting: str = "--duration"

    @property
    def connections(self) -> int:
        """How many the load generator opens at once."""
        given = dict(zip(self.flags, self.flags[1:], strict=False))
        if "--http" in given:
            return int(given["--http"])
        return int(given["--rooms"]) * int(given["--members"])


def _talk(rooms: int, members: int, publishers: int, *more: str) -> tuple[str, ...]:
    shape = ("--rooms", str(rooms), "--members", str(members), "--publishers", str(publishers))
    return (*shape, *more)


_HALL = _talk(1, 1001, 1, "--size", "200", "--window", "2")
_OFFICES = _talk(40, 25, 25, "--size", "200", "--window", "1")

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("hall", "Hall: one talks to 1,000", DELIVERIES, _HALL),
        Workload("offices", "Offices: 40 rooms of 25, all talk", DELIVERIES, _OFFICES),
        Workload(
            "calls",
            "Calls: 500 pairs, both talk",
            DELIVERIES,
            _talk(500, 2, 2, "--size", "200", "--window", "1"),
        ),
        Workload(
            "steady",
            "Steady: 40 rooms of 25, 8 events a second each",
            LATENCY,
            _talk(40, 25, 25, "--size", "200", "--rate", "8"),
        ),
        Workload("idle", "Idle: 10,000 connections", MEMORY, _talk(200, 50, 0), lasting="--idle"),
        Workload(
            "handshakes",
            "Handshakes, each with a private subscription",
            HANDSHAKES,
            _talk(10, 10, 0, "--churn"),
        ),
        Workload(
            "publish",
            "Signed HTTP publishes, 16 connections",
            PUBLISHES,
            ("--http", "16", "--size", "200"),
            needs=frozenset({"http"}),
        ),
        Workload("hall-wss", "Hall over wss", DELIVERIES, _HALL, frozenset({"tls"})),
        Workload("offices-wss", "Offices over wss", DELIVERIES, _OFFICES, frozenset({"tls"})),
        Workload(
            "hall-deflate",
            "Hall with permessage-deflate",
            DELIVERIES,
            _HALL,
            frozenset({"deflate"}),
        ),
        Workload(
            "hall-10000",
            "Hall: one talks to 10,000",
            DELIVERIES,
            _talk(1, 10_001, 1, "--size", "200", "--window", "2"),
        ),
    )
}
