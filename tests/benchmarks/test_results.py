"""benchmarks.results"""

from __future__ import annotations

import pytest

from benchmarks.results import cost, disturbance, figures, ratios, remarks, spread
from benchmarks.workloads import WORKLOADS
from tests.benchmarks.measured import results, run

HALL, STEADY = WORKLOADS["hall"], WORKLOADS["steady"]


def test_a_spread_is_the_median_between_the_lowest_and_the_highest() -> None:
    assert spread([9.0, 1.0, 2.0]) == (2.0, 1.0, 9.0)
    assert spread([1.0, 2.0]) == (1.5, 1.0, 2.0)
    assert spread([]) is None


def test_a_figure_is_of_all_runs_that_have_one() -> None:
    measured = results(
        run("wsrelay", 1, delivered_per_s=100),
        run("wsrelay", 2, error="it ended", delivered_per_s=1),
        run("wsrelay", 3, delivered_per_s=300),
        run("soketi", 1, delivered_per_s=7),
    )
    assert figures(measured, HALL, "wsrelay") == (200, 100, 300)
    assert figures(measured, STEADY, "wsrelay") is None


def test_a_ratio_is_the_median_of_the_pairs_and_not_the_ratio_of_the_medians() -> None:
    measured = results(
        run("wsrelay", 1, delivered_per_s=100),
        run("soketi", 1, delivered_per_s=50),
        run("wsrelay", 2, delivered_per_s=30),
        run("soketi", 2, delivered_per_s=10),
        run("wsrelay", 3, delivered_per_s=40),
        run("soketi", 3, delivered_per_s=40),
    )
    assert ratios(measured, HALL, "soketi") == (2.0, 1.0, 3.0)


def test_a_pair_with_a_failed_run_has_no_ratio() -> None:
    measured = results(
        run("wsrelay", 1, error="it ended"),
        run("soketi", 1, delivered_per_s=50),
        run("wsrelay", 2, delivered_per_s=50),
        run("soketi", 2, error="it ended"),
    )
    assert ratios(measured, HALL, "soketi") is None


def test_a_pair_is_of_one_peer() -> None:
    measured = results(run("wsrelay", 1, delivered_per_s=100), run("soketi", 1, delivered_per_s=50))
    assert ratios(measured, HALL, "uws") is None


def test_the_cost_of_a_delivery_is_in_microseconds() -> None:
    measured = results(run("wsrelay", server_cpu=0.5, delivered_per_s=100_000))
    found = cost(measured, HALL, "wsrelay")
    assert found is not None
    assert found.median == pytest.approx(5.0)


def test_failures_and_losses_are_remarked_on() -> None:
    measured = results(
        run("soketi", 1, expected=100, lost=0),
        run("soketi", 2, expected=100, lost=50, dead=2),
        run("soketi", 3, error="only 1 of 9\n  connections ready", dead=8),
    )
    assert remarks(measured, HALL, "soketi") == [
        "1 of 3 runs failed: only 1 of 9 connections ready",
        "lost 25% of the deliveries, in 1 of 3 runs",
        "2 connections closed during the runs",
    ]
    assert remarks(measured, HALL, "wsrelay") == []


def test_it_is_remarked_when_the_load_generator_was_the_limit() -> None:
    measured = results(
        run("uws", 1, load_cpu=0.99, server_cpu=0.7), run("uws", 2, load_cpu=0.99, server_cpu=0.99)
    )
    (remark,) = remarks(measured, HALL, "uws")
    assert "the limit in 1 of 2 runs" in remark


def test_a_machine_that_did_something_else_is_told_of() -> None:
    assert disturbance(results(run("uws", others_cpu=0.05))) is None
    told = disturbance(results(run("uws", others_cpu=0.05), run("wsrelay", others_cpu=0.4)))
    assert told is not None
    assert "1 of 2 runs" in told
