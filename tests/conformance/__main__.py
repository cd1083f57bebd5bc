"""``python -m tests.conformance REPORTS``: all of the suite, and the page of docs about it."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.conformance.autobahn import LEFT_OPEN, WAYS, Verdict, Way, all_cases, run

PAGE = Path(__file__).parents[2] / "docs" / "wire-conformance.md"

#: On what was tried, and with what.
NAMES = ("wsrelay", "autobahn", "twisted", "kosoku")

SECTIONS = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "9": "great messages, and many",
    "10": "automatic fragmentation",
    "12": "compression of different messages",
    "13": "negotiation of compression",
}

TEXT = """\
# Wire conformance

Written by `python -m tests.conformance`, which `tox -e conformance` runs; change it there.

Autobahn's test suite is what WebSocket servers are measured by: 517 cases, each of them a client
that keeps to RFC 6455 and RFC 7692, or breaks them on purpose. `kosoku` drives the suite's own case
files under Python 3, here against the echo of a relay (`--echo-path`), which stands on the
protocol, fast path, outbox and compression that every connection has; with and without `--deflate`.

{table}

Nothing is FAILED or NON-STRICT. INFORMATIONAL are the cases ({left_open}) in which
the suite only looks, because RFC 6455 leaves open what is right; UNIMPLEMENTED is compression where
it is not switched on. kosoku speaks no wss, so there a bridge encrypts for it
(`tests/conformance/bridge.py`).

Tried on {date} with {versions}, Python {python}.

## Once more

    tox -e conformance

runs all of it, in ten to twenty minutes on two cores, and writes this page anew; Autobahn's own
reports, with a page for each case, are then in `.tox/conformance/tmp/reports`. CI runs
`pytest tests/conformance`, which takes two minutes there: it leaves out most of the 132 cases that
compress a thousand messages of 16 to 128 KiB, and over wss most of sections 12 and 13. Where `CI`
is not set, it leaves out most of these sections over ws as well.
"""


def table(verdicts: dict[Way, list[Verdict]]) -> str:
    """Sections down, ways to speak to the relay across."""
    ways = {way: verdicts[way] for way in sorted(verdicts)}
    rows = [
        ("section", "about", *map(str, ways)),
        ["---"] * (2 + len(ways)),
        *(
            (number, about, *(_counts(number, found) for found in ways.values()))
            for number, about in SECTIONS.items()
        ),
        ("all", "", *(f"{len(found)}" for found in ways.values())),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _counts(section: str, found: Iterable[Verdict]) -> str:
    counts = Counter(each.outcome for each in found if each.case.split(".")[0] == section)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())


def try_all(reports: Path, console: Console) -> dict[Way, list[Verdict]]:
    """Every case in every way, with a bar on a terminal and a line now and then elsewhere."""
    cases = all_cases()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        tasks = {way: progress.add_task(str(way), total=len(cases)) for way in WAYS}
        counts = Counter[Way]()

        def told(verdict: Verdict) -> None:
            way = verdict.way
            counts[way] += 1
            progress.advance(tasks[way])
            if not verdict.is_right:
                console.print(*verdict)
            elif not console.is_terminal and counts[way] % 50 == 0:
                console.print(f"{way}: {counts[way]} of {len(cases)} cases")

        return run(WAYS, lambda way: cases, reports, told)


def main(reports: Path) -> int:
    """Return the exit status: 1 when a case is not as it should be."""
    verdicts = try_all(reports, Console(highlight=False))
    if not all(each.is_right for found in verdicts.values() for each in found):
        return 1
    PAGE.write_text(
        TEXT.format(
            table=table(verdicts),
            left_open=", ".join(sorted(LEFT_OPEN)),
            date=datetime.now(UTC).date(),
            versions=", ".join(f"{name} {version(name)}" for name in NAMES),
            python=platform.python_version(),
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
