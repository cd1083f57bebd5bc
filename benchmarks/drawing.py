"""A sheet of panels, each with a bar for each server.

Written as SVG by hand: bars, whiskers and words are all it needs, and a drawing library would be
the largest dependency of the project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from .results import Spread, percent

WIDTH, MARGIN, GAP = 960, 28, 40
COLUMNS = 2
PANEL_WIDTH = (WIDTH - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS
#: Room for the names left of the bars and for the figures right of them.
NAMES, FIGURES = 112, 118
HEAD, ROW, BAR, PANEL_GAP = 46, 25, 16, 26
TOP, FOOT, LINE = 84, 26, 18

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


class Bar(NamedTuple):
    """A server's figure; without a spread it has failed."""

    name: str
    spread: Spread | None
    #: The median, as people read it.
    text: str
    is_ours: bool
    #: The part of all deliveries that never came, 0 to 1.
    lost: float = 0.0


class Panel(NamedTuple):
    title: str
    #: What is measured, and whether less is better.
    figure: str
    bars: Sequence[Bar]


def sheet(
    title: str, words: str, panels: Sequence[Panel], notes: Sequence[str], warning: str = ""
) -> str:
    """A whole SVG document: the panels in two columns, what must be known beneath them."""
    rows = [panels[at : at + COLUMNS] for at in range(0, len(panels), COLUMNS)]
    parts, y = [], float(TOP)
    for row in rows:
        for column, panel in enumerate(row):
            x = MARGIN + column * (PANEL_WIDTH + GAP)
            parts += [f'<g transform="translate({x:g} {y:g})">', *_panel(panel), "</g>"]
        y += max(HEAD + ROW * len(panel.bars) for panel in row) + PANEL_GAP
    beneath = [(note, "quiet") for note in notes] + [(warning, "quiet loss")]
    height = y + FOOT + LINE * (len(beneath) - 1)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="sheet" width="{WIDTH}" height="{height:g}"/>',
            _text(MARGIN, 42, title, "title"),
            _text(MARGIN, 64, words, "quiet"),
            *(
                _text(MARGIN, y + 10 + LINE * number, note, style)
                for number, (note, style) in enumerate(beneath)
            ),
            *parts,
            "</svg>\n",
        ]
    )


def _panel(panel: Panel) -> Iterator[str]:
    yield _text(0, 14, panel.title, "panel")
    yield _text(0, 32, panel.figure, "quiet")
    most = max((bar.spread.high for bar in panel.bars if bar.spread), default=0.0) or 1.0
    scale = (PANEL_WIDTH - NAMES - FIGURES) / most
    for row, bar in enumerate(panel.bars):
        yield from _bar(bar, HEAD + row * ROW + ROW / 2, scale)
    bottom = HEAD + len(panel.bars) * ROW
    yield f'<line class="axis" x1="{NAMES}" x2="{NAMES}" y1="{HEAD}" y2="{bottom}"/>'


def _bar(bar: Bar, y: float, scale: float) -> Iterator[str]:
    bold = "bold" if bar.is_ours else ""
    line = y + 4.5
    yield _text(NAMES - 8, line, bar.name, f"name {bold}")
    if bar.spread is None:
        yield _text(NAMES + 8, line, "failed", "loss")
        return
    yield (
        f'<rect class="{"ours" if bar.is_ours else "peer"}" x="{NAMES}" y="{y - BAR / 2:g}" '
        f'width="{bar.spread.median * scale:.1f}" height="{BAR}" rx="2"/>'
    )
    low, high = NAMES + bar.spread.low * scale, NAMES + bar.spread.high * scale
    if high - low > 1:
        ends = "".join(f"M{x:.1f} {y - 4:g}v8" for x in (low, high))
        yield f'<path class="whisker" d="M{low:.1f} {y:g}H{high:.1f}{ends}"/>'
    loses = f' <tspan class="loss">loses {percent(bar.lost)}</tspan>' if bar.lost else ""
    yield _text(high + 8, line, bar.text, bold, loses)


def _text(x: float, y: float, words: str, style: str, more: str = "") -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{escape(words)}{more}</text>'
