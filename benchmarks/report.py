"""Where results go: a JSON file with every run, a table, a chart, and the page that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import structs

from .chart import svg
from .errors import CannotMeasure
from .results import Results
from .servers import PEERS
from .table import markdown
from .workloads import WORKLOADS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")
PUBLISHED = ROOT / "benchmarks" / "results.json"

BEGIN = "<!-- figures: written by `benchmarks/run --publish` -->"
END = "<!-- end of figures -->"


def save(results: msgspec.Struct, file: Path) -> None:
    """Every run as it came out."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def load(file: Path) -> Results:
    return msgspec.json.decode(file.read_bytes(), type=Results)


def joined(parts: Sequence[Results]) -> Results:
    """One measurement that was made in several parts, in the order of the tables.

    Raises ``CannotMeasure`` when the parts are not of the same versions, pairs and duration.
    """
    first = parts[0]
    for part in parts[1:]:
        if (part.versions, part.pairs, part.duration) != (
            first.versions,
            first.pairs,
            first.duration,
        ):
            raise CannotMeasure("the parts differ in versions, pairs or duration")
    workloads = {name for part in parts for name in part.workloads}
    peers = {name for part in parts for name in part.peers}
    return structs.replace(
        first,
        workloads=[name for name in WORKLOADS if name in workloads],
        peers=[name for name in PEERS if name in peers],
        runs=[run for part in parts for run in part.runs],
    )


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


def with_figures(page: str, figures: str, begin_mark: str = BEGIN, end_mark: str = END) -> str:
    """The page with other figures between its two marks; ValueError if it has no marks."""
    before, begin, rest = page.partition(begin_mark)
    _, end, after = rest.partition(end_mark)
    if not begin or not end:
        raise ValueError(f"the page must have the lines {begin_mark!r} and {end_mark!r}")
    return f"{before}{begin}\n\n{figures.strip()}\n\n{end}{after}"
