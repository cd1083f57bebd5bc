"""The results as a chart: a panel for each workload, a bar for each server.

Written as SVG by hand: bars, whiskers and words are all it needs, and a drawing library would be
the largest dependency of the project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from .results import Results, Spread, disturbance, figures, lost_share, percent
from .servers import RELAY, SERVERS
from .workloads import WORKLOADS, Workload

WIDTH, MARGIN, GAP = 960, 28, 40
COLUMNS = 2
PANEL_WIDTH = (WIDTH - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS
#: Room for the names left of the bars and for the figures right of them.
NAMES, FIGURES = 112, 118
HEAD, ROW, BAR, PANEL_GAP = 46, 25, 16, 26
TOP, FOOT = 84, 62

STYLE = """
text { font: 13px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: #1f2933; }
.sheet { fill: #ffffff; }
.title { font-size: 22px; font-weight: 600; }
.panel { font-size: 14px; font-weight: 600; }
.quiet { font-size: 12px; fill: #616e7c; }
.ours { fill: #0f7b6c; }
.peer { fill: #b8c4ce; }
.name { text-anchor: end; }
.bold { font-weight: 600; }
.loss, .quiet.loss { fill: #b42318; }
.whisker { stroke: #1f2933; stroke-width: 1.2; opacity: .65; }
.axis { stroke: #cbd2d9; stroke-width: 1; }
"""


def svg(results: Results) -> str:
    """A whole SVG document; workloads that wsrelay has no figure for are left out."""
    shown = [
        workload
        for name, workload in WORKLOADS.items()
        if name in results.workloads and figures(results, workload, RELAY)
    ]
    rows = [shown[at : at + COLUMNS] for at in range(0, len(shown), COLUMNS)]
    parts, y = [], float(TOP)
    for row in rows:
        for column, workload in enumerate(row):
            x = MARGIN + column * (PANEL_WIDTH + GAP)
            parts += [f'<g transform="translate({x:g} {y:g})">', *_panel(results, workload), "</g>"]
        y += max(_height(results, workload) for workload in row) + PANEL_GAP
    versions = results.versions
    subjects = ", ".join(
        f"{SERVERS[name].title} {versions[name]}" for name in (RELAY, *results.peers)
    )
    words = [
        _text(MARGIN, 42, "wsrelay beside its peers", "title"),
        _text(
            MARGIN,
            64,
            "One process on one core, the load on another. Bars: median; whiskers: all runs.",
            "quiet",
        ),
        _text(MARGIN, y + 10, f"{results.date}. {subjects}.", "quiet"),
        _text(MARGIN, y + 28, f"{results.machine}.", "quiet"),
        _text(MARGIN, y + 46, disturbance(results) or "", "quiet loss"),
    ]
    height = y + FOOT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img">',
            f"<title>wsrelay beside its peers, {escape(results.date)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="sheet" width="{WIDTH}" height="{height:g}"/>',
            *words,
            *parts,
            "</svg>\n",
        ]
    )


def _panel(results: Results, workload: Workload) -> Iterator[str]:
    better = "" if workload.figure.is_more_better else ", less is better"
    yield _text(0, 14, workload.title, "panel")
    yield _text(0, 32, workload.figure.title + better, "quiet")
    bars = [(server, figures(results, workload, server)) for server in _servers(results, workload)]
    most = max((found.high for _, found in bars if found), default=0.0) or 1.0
    scale = (PANEL_WIDTH - NAMES - FIGURES) / most
    for row, (server, found) in enumerate(bars):
        lost = lost_share(results, workload, server)
        yield from _bar(server, workload, found, lost, HEAD + row * ROW + ROW / 2, scale)
    bottom = HEAD + len(bars) * ROW
    yield f'<line class="axis" x1="{NAMES}" x2="{NAMES}" y1="{HEAD}" y2="{bottom}"/>'


def _bar(
    server: str, workload: Workload, found: Spread | None, lost: float, y: float, scale: float
) -> Iterator[str]:
    is_ours = server == RELAY
    bold = "bold" if is_ours else ""
    line = y + 4.5
    yield _text(NAMES - 8, line, SERVERS[server].title, f"name {bold}")
    if found is None:
        yield _text(NAMES + 8, line, "failed", "loss")
        return
    yield (
        f'<rect class="{"ours" if is_ours else "peer"}" x="{NAMES}" y="{y - BAR / 2:g}" '
        f'width="{found.median * scale:.1f}" height="{BAR}" rx="2"/>'
    )
    low, high = NAMES + found.low * scale, NAMES + found.high * scale
    if high - low > 1:
        ends = "".join(f"M{x:.1f} {y - 4:g}v8" for x in (low, high))
        yield f'<path class="whisker" d="M{low:.1f} {y:g}H{high:.1f}{ends}"/>'
    loses = f' <tspan class="loss">loses {percent(lost)}</tspan>' if lost else ""
    yield _text(high + 8, line, workload.figure.text(found.median), bold, loses)


def _servers(results: Results, workload: Workload) -> Sequence[str]:
    return [name for name in (RELAY, *results.peers) if results.of(workload, name)]


def _height(results: Results, workload: Workload) -> float:
    return HEAD + ROW * len(_servers(results, workload))


def _text(x: float, y: float, words: str, style: str, more: str = "") -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(words)}{more}</text>'
