"""What is written about the metrics is true: the reference, the dashboard and the alerts."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_client.core import Metric
from twisted.internet.task import Clock

from tests.metrics.promql import (
    ALERTS,
    ROOT,
    alert_queries,
    dashboard_queries,
    named,
    panels,
)
from tests.metrics.test_collector import busy
from tests.metrics.watching import watched
from wsrelay.workers.counting import Counting
from wsrelay.workers.crew import Crew
from wsrelay.workers.slot import Slot

OPERATIONS = ROOT / "docs" / "operations.md"
#: Prometheus' own, which no relay tells.
ADDED = {"job", "instance", "le"}


class Told(NamedTuple):
    kind: str
    labels: tuple[str, ...]
    meaning: str


@pytest.fixture(scope="module")
def registry() -> dict[str, Told]:
    """By the name that stands in queries, what a running relay tells."""
    told = {}
    with watched() as seen:
        busy(seen)
        guest = seen.relay.guest()
        guest.say("pusher:subscribe", data={"channel": "private-room", "auth": "no"})
        seen.relay.turn()
        for family in (*seen.metrics.site._registry.collect(), *of_workers()):
            name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            if name == "wsrelay_tls_certificate_expiry_timestamp_seconds":
                labels = {"file"}  # this relay has none
            if name in told:  # of one and of all workers
                continue
            told[name] = Told(family.type, tuple(sorted(labels)), family.documentation)
    return told


def of_workers() -> Iterator[Metric]:
    """What the parent of several processes tells besides."""
    clock = Clock()
    crew = Crew(clock)
    quiet: Any = None
    crew.slots = [Slot(1, clock, clock.seconds, quiet, heard=quiet, gone=quiet)]
    return Counting(crew, 0.0, clock.seconds).summed.collect()


def samples(registry: dict[str, Told]) -> dict[str, set[str]]:
    """Names of samples and the labels they have: a histogram has three."""
    found = {}
    for name, told in registry.items():
        suffixes = ("_bucket", "_count", "_sum") if told.kind == "histogram" else ("",)
        for suffix in suffixes:
            found[name + suffix] = set(told.labels)
    return found


def test_the_table_in_the_docs_is_the_registry(registry: dict[str, Told]) -> None:
    expected = [
        f"| `{name}` | {told.kind} | {', '.join(f'`{label}`' for label in told.labels)} "
        f"| {told.meaning} |"
        for name, told in registry.items()
    ]
    written = re.findall(r"^\| `(?:wsrelay|process)_.*$", OPERATIONS.read_text(), re.MULTILINE)
    assert written == expected, "the table should be:\n" + "\n".join(expected)


@pytest.mark.parametrize("query", [*dashboard_queries(), *alert_queries()])
def test_a_query_names_metrics_and_labels_that_there_are(
    query: str, registry: dict[str, Told]
) -> None:
    known = samples(registry)
    metrics, labels = named(query)
    assert metrics
    assert metrics - {"up"} <= known.keys()
    assert labels <= ADDED.union(*(known[metric] for metric in metrics - {"up"}))


def test_the_dashboard_shows_every_metric_of_ours(registry: dict[str, Told]) -> None:
    shown = set().union(*(named(query)[0] for query in dashboard_queries()))
    for name, told in registry.items():
        if name.startswith("wsrelay_"):
            suffix = "_" if told.kind == "histogram" else ""
            assert any(each.startswith(name + suffix) for each in shown), name


def test_what_is_named_wrongly_would_be_found() -> None:
    query = "sum by (a, b) (rate(wsrelay_x_total{c=~'.*', d!=\"1\"}[1m])) / process_y - time()"
    assert named(query) == ({"wsrelay_x_total", "process_y"}, {"a", "b", "c", "d"})


def test_panels_have_places_of_their_own_and_a_title() -> None:
    taken = set()
    for panel in panels():
        assert panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))


def promtool(*arguments: str, cwd: Path = ROOT) -> str:
    """What it says; AssertionError with that when it objects."""
    ran = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_promtool_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query}
        for number, query in enumerate(dashboard_queries())
    ]
    # JSON is YAML.
    (tmp_path / "rules.yml").write_text(
        json.dumps({"groups": [{"name": "dashboard", "rules": rules}]})
    )
    assert f"{len(rules)} rules found" in promtool("check", "rules", f"{tmp_path}/rules.yml")


def test_every_alert_is_silent_while_all_is_well_and_fires_when_it_has_a_reason() -> None:
    promtool("check", "rules", str(ALERTS))
    tests = ROOT / "tests" / "metrics" / "prometheus-alerts-test.yml"
    promtool("test", "rules", str(tests))
    expected = {
        sample["labels"]
        for test in yaml.safe_load(tests.read_text())["tests"]
        for expr in test["promql_expr_test"]
        for sample in expr["exp_samples"]
    }
    alerts = {
        rule["alert"]
        for group in yaml.safe_load(ALERTS.read_text())["groups"]
        for rule in group["rules"]
    }
    assert expected == {f'{{alertname="{alert}"}}' for alert in alerts}
