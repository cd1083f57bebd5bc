from xml.etree import ElementTree

import msgspec

from benchmarks import report
from benchmarks.scale import BEGIN, END
from benchmarks.scale_chart import svg
from benchmarks.scale_results import CASES, Scale, ScaleRun, markdown

SVG = "{http://www.w3.org/2000/svg}"


def generator(**changed):
    return {
        **{"delivered_per_s": 2400, "published_per_s": 100, "expected": 7200, "lost": 0},
        **{"p99_ms": 2.0, "server_cpu": 0.48, "load_cpu": 0.3, "others_cpu": 0.35},
        **changed,
    }


def run(*said, **changed):
    found = {"case": CASES[0], "pair": 1, "server": "wsrelay", "said": list(said)}
    return ScaleRun(**{**found, "redis": {"publish": 50.0, "ping": 10.0}, **changed})


def scale(*runs):
    versions = {"wsrelay": "1", "soketi": "2", "Redis": "7"}
    return Scale(
        date="1 May", machine="M", versions=versions, pairs=1, duration=3.0, runs=list(runs)
    )


def test_several_generators_are_one_load_on_all_nodes_together():
    both = run(generator(), generator(p99_ms=9.0, lost=1440))
    assert {name: round(value, 9) for name, value in both.figures().items()} == {
        "deliveries": 4800,
        "p99_ms": 9.0,
        "lost": 0.1,
        "cost": 100.0,
        "published": 0.25,
        "commands": 0.3,
        "commands_per_delivery": 0.0125,
    }


def test_the_other_generators_do_not_disturb_the_first():
    assert round(run(generator(), generator()).others(), 9) == 0.05


def test_a_run_of_which_one_generator_failed_has_no_figure():
    failed = run(generator(), {"error": "no"})
    assert failed.error == "no"
    assert scale(failed).spread(CASES[0], "wsrelay", "p99_ms") is None
    assert "Of 1 runs 1 failed" in markdown(scale(failed))


def test_a_measurement_can_be_shown_again_from_its_file(tmp_path):
    measured = scale(run(generator()))
    report.save(measured, tmp_path / "scale.json")
    read = msgspec.json.decode((tmp_path / "scale.json").read_bytes(), type=Scale)
    assert read == measured
    assert read.spread(CASES[0], "wsrelay", "p99_ms") == (2.0, 2.0, 2.0)


def test_each_case_has_a_line_for_each_server():
    lines = markdown(scale(run(generator()))).splitlines()
    first = "| 2 nodes, rooms kept together, closed loop | wsrelay | 2.40 k | 2.00 ms | 0% |"
    assert sum(line.startswith(first) for line in lines) == 1
    assert sum(line.startswith(("| 2 nodes", "| 4 nodes")) for line in lines) == 2 * len(CASES)


def test_the_page_has_a_place_for_the_table():
    page = report.with_figures(report.PAGE.read_text(), "new", BEGIN, END)
    assert f"{BEGIN}\n\nnew\n\n{END}" in page
    assert report.BEGIN in page


def test_the_chart_has_a_panel_for_each_case_and_says_who_failed():
    steady = CASES[1]
    drawn = ElementTree.fromstring(
        svg(scale(run(generator()), run(generator(lost=720), case=steady, server="soketi")))
    )
    words = ["".join(text.itertext()) for text in drawn.iter(f"{SVG}text")]
    assert [word for word in words if word in map(str, CASES)] == [str(case) for case in CASES]
    assert {"2.40 k", "2.00 ms loses 10%", "failed", "1 May. wsrelay 1, Soketi 2, Redis 7."} <= {
        *words
    }
