"""What was measured of several nodes as a chart: a panel for each case."""

from __future__ import annotations

from .chart import caption
from .drawing import Bar, Panel, sheet
from .scale_results import CASES, COMPARED, Case, Scale, disturbance
from .servers import RELAY, SERVERS
from .workloads import DELIVERIES, LATENCY


def svg(scale: Scale) -> str:
    """A whole SVG document."""
    subjects = ", ".join(map(scale.version, (*COMPARED, "Redis")))
    return sheet(
        "Several nodes on one Redis",
        "40 rooms of 25. Nodes, Redis and load share two cores. Bars: median; whiskers: all runs.",
        [
            Panel(
                str(case),
                caption(LATENCY if case.is_steady else DELIVERIES),
                [_bar(scale, case, server) for server in COMPARED],
            )
            for case in CASES
        ],
        [f"{scale.date}. {subjects}.", f"{scale.machine}."],
        disturbance(scale),
    )


def _bar(scale: Scale, case: Case, server: str) -> Bar:
    name, figure = ("p99_ms", LATENCY) if case.is_steady else ("deliveries", DELIVERIES)
    found, lost = scale.spread(case, server, name), scale.spread(case, server, "lost")
    text = figure.text(found.median) if found is not None else ""
    return Bar(SERVERS[server].title, found, text, server == RELAY, lost.median if lost else 0.0)
