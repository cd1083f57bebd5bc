"""benchmarks.report"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.errors import CannotMeasure
from tests.benchmarks.measured import results, run


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    measured = results(run("wsrelay", delivered_per_s=10), run("soketi", error="it ended"))
    report.save(measured, tmp_path / "results.json")
    assert report.load(tmp_path / "results.json") == measured


def test_parts_of_one_measurement_are_joined() -> None:
    hall = results(run("wsrelay", delivered_per_s=10))
    calls = results(run("wsrelay", delivered_per_s=20))
    hall.workloads, hall.peers = ["hall"], ["uws"]
    calls.workloads, calls.peers = ["calls"], ["soketi"]
    both = report.joined([calls, hall])
    assert (both.workloads, both.peers) == (["hall", "calls"], ["soketi", "uws"])
    assert both.runs == calls.runs + hall.runs


def test_parts_of_different_measurements_are_not_joined() -> None:
    first, second = results(), results()
    second.versions = {"wsrelay": "another"}
    with pytest.raises(CannotMeasure, match="versions"):
        report.joined([first, second])


def test_figures_take_the_place_of_the_old_ones_and_leave_the_page_alone() -> None:
    page = f"# Page\n\n{report.BEGIN}\n\nold\n\n{report.END}\n\nMore.\n"
    fresh = report.with_figures(page, "new\n")
    assert fresh == page.replace("old", "new")
    assert report.with_figures(fresh, "new") == fresh


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="must have the lines"):
        report.with_figures("# Page\n", "new")


def test_the_page_of_this_project_has_its_marks() -> None:
    assert "new" in report.with_figures(report.PAGE.read_text(), "new")
