"""Where results go: a JSON file with every run, a table, a chart, and the page that shows them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from .chart import svg
from .results import Results
from .table import markdown

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")
PUBLISHED = ROOT / "benchmarks" / "results.json"

BEGIN = "<!-- figures: written by `benchmarks/run --publish` -->"
END = "<!-- end of figures -->"


def save(results: Results, file: Path) -> None:
    """Every run as it came out."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def load(file: Path) -> Results:
    return msgspec.json.decode(file.read_bytes(), type=Results)


def draw(results: Results, directory: Path) -> None:
    """``results.md`` and ``results.svg``."""
    (directory / "results.md").write_text(markdown(results))
    (directory / "results.svg").write_text(svg(results))


def publish(results: Results) -> None:
    """Into the repository: the page's figures, its chart, and the runs behind them."""
    save(results, PUBLISHED)
    CHART.write_text(svg(results))
    figures = f"![wsrelay beside its peers]({CHART.name})\n\n{markdown(results)}"
    PAGE.write_text(with_figures(PAGE.read_text(), figures))


def with_figures(page: str, figures: str) -> str:
    """The page with other figures between its two marks; ValueError if it has no marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must have the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{figures.strip()}\n\n{END}{after}"
