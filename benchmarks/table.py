"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .results import (
    Results,
    Spread,
    cost,
    disturbance,
    figures,
    lost_share,
    percent,
    ratios,
    remarks,
)
from .servers import RELAY, SERVERS
from .workloads import DELIVERIES, WORKLOADS, Workload, three_digits


def markdown(results: Results) -> str:
    """What was measured where, the figures, the remarks on them, and the cost of a delivery."""
    workloads = [workload for name, workload in WORKLOADS.items() if name in results.workloads]
    parts = [
        results.words(),
        *([f"**{disturbed}**"] if (disturbed := disturbance(results)) else []),
        _figures_table(results, workloads),
        *_remarks_list(results, workloads),
        *_cost_table(results, [w for w in workloads if w.figure is DELIVERIES]),
    ]
    return "\n\n".join(parts) + "\n"


def _figures_table(results: Results, workloads: Sequence[Workload]) -> str:
    rows = []
    for workload in workloads:
        title = f"**{workload.title}**<br>{workload.figure.title}"
        title += "" if workload.figure.is_more_better else "; less is better"
        cells = [figure_text(results, workload, RELAY)]
        for peer in results.peers:
            cell = figure_text(results, workload, peer)
            if ratio := ratios(results, workload, peer):
                cell += f"<br>**×{three_digits(ratio.median)}**{_reach(ratio, three_digits)}"
            cells.append(cell)
        rows.append([title, *cells])
    return table(["", *_titles(results)], rows)


def figure_text(results: Results, workload: Workload, server: str) -> str:
    """The median with its range, or in a word why there is none."""
    runs = results.of(workload, server)
    if not runs:
        return "not yet" if server == RELAY and not SERVERS[RELAY].can(workload) else "–"
    found = figures(results, workload, server)
    if found is None:
        return "failed"
    text = workload.figure.text
    lost = lost_share(results, workload, server)
    loses = f", loses {percent(lost)}" if lost else ""
    return f"{text(found.median)}{loses}{_reach(found, text)}"


def _reach(found: Spread, text: Callable[[float], str]) -> str:
    """Nothing for a single run."""
    return f" ({text(found.low)}–{text(found.high)})" if found.high > found.low else ""


def _remarks_list(results: Results, workloads: Sequence[Workload]) -> list[str]:
    lines = [
        f"- {workload.title}, {SERVERS[server].title}: {remark}."
        for workload in workloads
        for server in (RELAY, *results.peers)
        for remark in remarks(results, workload, server)
    ]
    return ["\n".join(lines)] if lines else []


def _cost_table(results: Results, workloads: Sequence[Workload]) -> list[str]:
    rows = []
    for workload in workloads:
        found = [cost(results, workload, server) for server in (RELAY, *results.peers)]
        if any(found):
            rows.append([workload.title, *(f"{c.median:.2f}" if c else "–" for c in found)])
    if not rows:
        return []
    head = "Microseconds of the server's processor for one delivery:"
    return [head, table(["", *_titles(results)], rows)]


def _titles(results: Results) -> list[str]:
    return [SERVERS[server].title for server in (RELAY, *results.peers)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("--:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
