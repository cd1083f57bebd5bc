"""benchmarks.table"""

from __future__ import annotations

from benchmarks.table import markdown
from tests.benchmarks.measured import results, run


def row(text: str, title: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| **{title}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_the_figures_with_their_range_and_the_ratio_to_each_peer() -> None:
    text = markdown(
        results(
            run("wsrelay", 1, delivered_per_s=200_000),
            run("soketi", 1, delivered_per_s=80_000),
            run("wsrelay", 2, delivered_per_s=240_000),
            run("soketi", 2, delivered_per_s=80_000),
        )
    )
    assert row(text, "Hall: one talks to 1,000") == [
        "**Hall: one talks to 1,000**<br>deliveries a second",
        "220 k (200 k–240 k)",
        "80.0 k<br>**×2.75** (2.50–3.00)",
        "–",
    ]


def test_what_failed_and_what_was_lost_stands_in_its_cell() -> None:
    text = markdown(
        results(
            run("wsrelay", workload="steady", p99_ms=0.9, expected=100, lost=0),
            run("soketi", workload="steady", p99_ms=900, expected=100, lost=34),
            run("wsrelay", error="it ended"),
        )
    )
    assert row(text, "Steady")[1:3] == ["0.90 ms", "900 ms, loses 34%<br>**×0.001**"]
    assert row(text, "Hall: one talks to 1,000")[1] == "failed"
    assert "wsrelay: 1 of 1 runs failed: it ended." in text


def test_only_workloads_that_were_asked_for_have_a_row() -> None:
    assert "Offices" not in markdown(results())


def test_date_machine_and_versions_stand_above() -> None:
    head, *_ = markdown(results()).split("\n\n")
    for part in ("1 May 2026", "A machine with 2 cores", "Soketi 1.6.1", "uWebSockets.js 20"):
        assert part in head
