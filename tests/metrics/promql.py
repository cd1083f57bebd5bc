"""The queries of the dashboard and of the alerts, and what they name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "etc" / "grafana-dashboard.json"
ALERTS = ROOT / "etc" / "prometheus-alerts.yml"

#: What Grafana fills in.
VARIABLES = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*"}

_selectors = re.compile(r"\b((?:wsrelay|process)_\w+|up)\b(?:\{([^}]*)\})?").findall
_groupings = re.compile(r"\bby \(([^)]*)\)").findall
_matchers = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)").findall


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def dashboard_queries() -> list[str]:
    """As Grafana would send them, with everything chosen."""
    queries = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    for variable, value in VARIABLES.items():
        queries = [query.replace(variable, value) for query in queries]
    return queries


def alert_queries() -> list[str]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def named(query: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels that a query names."""
    metrics, labels = set(), set()
    for metric, matchers in _selectors(query):
        metrics.add(metric)
        labels.update(_matchers(matchers))
    for grouping in _groupings(query):
        labels.update(part.strip() for part in grouping.split(","))
    return metrics, labels
