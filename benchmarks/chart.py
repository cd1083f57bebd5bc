"""The results as a chart: a panel for each workload."""

from __future__ import annotations

from .drawing import Bar, Panel, sheet
from .results import Results, disturbance, figures, lost_share
from .servers import RELAY, SERVERS
from .workloads import WORKLOADS, Figure, Workload


def svg(results: Results) -> str:
    """A whole SVG document; workloads that wsrelay has no figure for are left out."""
    panels = [
        Panel(
            workload.title,
            caption(workload.figure),
            [
                _bar(results, workload, name)
                for name in (RELAY, *results.peers)
                if results.of(workload, name)
            ],
        )
        for name, workload in WORKLOADS.items()
        if name in results.workloads and figures(results, workload, RELAY)
    ]
    subjects = ", ".join(map(results.version, (RELAY, *results.peers)))
    return sheet(
        "wsrelay beside its peers",
        "One process on one core, the load on another. Bars: median; whiskers: all runs.",
        panels,
        [f"{results.date}. {subjects}.", f"{results.machine}."],
        disturbance(results) or "",
    )


def caption(figure: Figure) -> str:
    return figure.title + ("" if figure.is_more_better else ", less is better")


def _bar(results: Results, workload: Workload, server: str) -> Bar:
    found = figures(results, workload, server)
    return Bar(
        SERVERS[server].title,
        found,
        workload.figure.text(found.median) if found is not None else "",
        server == RELAY,
        lost_share(results, workload, server),
    )
