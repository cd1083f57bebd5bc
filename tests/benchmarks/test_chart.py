"""benchmarks.chart"""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.chart import svg
from benchmarks.results import Results
from tests.benchmarks.measured import results, run

SVG = "{http://www.w3.org/2000/svg}"


def drawn(measured: Results) -> ElementTree.Element:
    return ElementTree.fromstring(svg(measured))


def words(chart: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in chart.iter(f"{SVG}text")]


def bars(chart: ElementTree.Element) -> list[float]:
    return [
        float(rect.attrib["width"])
        for rect in chart.iter(f"{SVG}rect")
        if rect.attrib["class"] in ("ours", "peer")
    ]


def test_bars_are_as_long_as_their_figures() -> None:
    chart = drawn(
        results(
            run("wsrelay", delivered_per_s=200_000),
            run("soketi", delivered_per_s=50_000),
            run("uws", delivered_per_s=100_000),
        )
    )
    ours, soketi, uws = bars(chart)
    assert (soketi / ours, uws / ours) == pytest.approx((0.25, 0.5), abs=0.01)
    assert {"wsrelay", "Soketi", "uWebSockets.js", "200 k", "50.0 k"} <= set(words(chart))


def test_a_whisker_shows_how_far_the_runs_reach() -> None:
    one = drawn(results(run("wsrelay", delivered_per_s=10)))
    two = drawn(results(run("wsrelay", 1, delivered_per_s=5), run("wsrelay", 2, delivered_per_s=9)))
    assert len(list(one.iter(f"{SVG}path"))) == 0
    assert len(list(two.iter(f"{SVG}path"))) == 1


def test_failures_and_losses_are_shown() -> None:
    chart = drawn(
        results(
            run("wsrelay", delivered_per_s=10),
            run("soketi", delivered_per_s=5, expected=100, lost=34),
            run("uws", error="it ended"),
        )
    )
    assert {"failed", "5.00 loses 34%"} <= set(words(chart))


def test_a_workload_without_a_figure_of_wsrelay_has_no_panel() -> None:
    chart = drawn(results(run("wsrelay", delivered_per_s=10), run("uws", workload="steady")))
    assert "Hall: one talks to 1,000" in words(chart)
    assert not any(word.startswith("Steady") for word in words(chart))


def test_panels_stay_inside_the_sheet() -> None:
    runs = [
        run(server, workload=workload, delivered_per_s=9, p99_ms=9, requests_per_s=9)
        for workload in ("hall", "steady", "publish", "hall-10000")
        for server in ("wsrelay", "soketi", "uws")
    ]
    chart = drawn(results(*runs))
    height = float(chart.attrib["height"])
    lowest = max(float(text.attrib["y"]) for text in chart.findall(f"{SVG}text"))
    panels = [group.attrib["transform"] for group in chart.iter(f"{SVG}g")]
    assert len(panels) == len(set(panels)) == 4
    assert max(float(panel[:-1].split()[1]) for panel in panels) < lowest < height
