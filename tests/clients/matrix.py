"""The conformance matrix: which feature works with which client, for the server under test.

As a program it lays the matrices of two servers side by side:

    python -m tests.clients.matrix ONE.md OTHER.md
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.clients.features import Feature

CLIENTS = {
    "node": "pusher-js, Node",
    "chromium": "pusher-js, Chromium",
    "laravel-echo": "laravel-echo 2",
    "laravel-echo-1": "laravel-echo 1",
    "pysher": "pysher",
    "npm_pusher": "`pusher`, npm",
    "pypi_pusher": "`pusher`, PyPI",
}
PASS, FAIL, NOT_RUN = "✓", "✗", "·"
LEGEND = f"{PASS} passed, {FAIL} failed, {NOT_RUN} not run"


HOMES = {"node_process": "node", "tab": "chromium"}


def clients_of(test: pytest.Function) -> list[str]:
    """The libraries that a test is about: those which its function names among its arguments.

    A test that is run with each ``backend`` is about its other clients when that is npm's, so that
    the column of one library does not show what is wrong with another. Neither ``publisher`` nor
    ``visitor`` is what a test is about.
    """
    arguments = inspect.signature(test.function).parameters
    chosen = getattr(test, "callspec", None)
    values = chosen.params if chosen else {}
    backend = values.get("backend")
    clients = {*arguments} & {"pysher", "npm_pusher", "pypi_pusher"}
    if backend != "pypi_pusher":
        if "pusher_js" in arguments:
            home = "tab" if "tab" in test.fixturenames else "node_process"
            clients.add(HOMES[values.get("home", home)])
        if "echo" in arguments:
            clients.add(values["echo"])
    return [client for client in CLIENTS if client in {*clients, backend}]


class Matrix:
    """A plugin of pytest that collects the outcomes of tests with the mark ``feature``."""

    def __init__(self, file: str | None) -> None:
        self._file = file
        self._passed: dict[tuple[str, str], bool] = {}

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            mark = item.get_closest_marker("feature")
            if mark and isinstance(item, pytest.Function):
                which, *clients = mark.args
                # The only thing of a test that its report has as well, in other processes too.
                item.user_properties.append(("feature", which.name))
                item.user_properties.append(("clients", clients or clients_of(item)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        about: dict[str, Any] = dict(report.user_properties)
        if "feature" not in about or not (
            report.failed or (report.passed and report.when == "call")
        ):
            return
        for client in about["clients"]:
            cell = (about["feature"], client)
            self._passed[cell] = self._passed.get(cell, True) and report.passed

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._passed:
            return
        rows = list(self.rows())
        terminalreporter.section("features by client")
        wide = max(len(row[0]) for row in rows)
        for number, client in enumerate(rows[0][1:]):
            terminalreporter.line(" " * wide + "  │" * number + "  ┌ " + client)
        for feature, *cells in rows[1:]:
            terminalreporter.line(feature.ljust(wide) + "".join(f"  {cell}" for cell in cells))
        terminalreporter.line(LEGEND)
        if self._file:
            Path(self._file).write_text(markdown(rows))

    def rows(self) -> Iterator[list[str]]:
        """The head and a row for each feature."""
        yield ["", *CLIENTS.values()]
        signs = {True: PASS, False: FAIL, None: NOT_RUN}
        for feature in Feature:
            cells = [self._passed.get((feature.name, client)) for client in CLIENTS]
            yield [feature.value, *(signs[cell] for cell in cells)]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ("| " + " | ".join(row) + " |" for row in rows)
    rule = "| --- |" + " :-: |" * (len(rows[0]) - 1)
    return "\n".join([head, rule, *body, ""])


def side_by_side(one: str, other: str) -> str:
    """Two matrices in one, with the signs of both in every cell."""
    lines = zip(one.splitlines(), other.splitlines(), strict=True)
    return "\n".join(["|".join(map(_both, a.split("|"), b.split("|"))) for a, b in lines] + [""])


def _both(one: str, other: str) -> str:
    if {one.strip(), other.strip()} <= {PASS, FAIL, NOT_RUN}:
        return f" {one.strip()} {other.strip()} "
    assert one == other, f"the matrices have different rows or columns: {one!r} and {other!r}"
    return one


if __name__ == "__main__":
    sys.stdout.write(side_by_side(*(Path(name).read_text() for name in sys.argv[1:3])))
