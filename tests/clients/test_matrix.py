"""The matrix itself, and the one that is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.features import Feature
from tests.clients.matrix import CLIENTS, FAIL, NOT_RUN, PASS, Matrix, markdown, side_by_side
from tests.clients.packages import HERE

DOCUMENT = HERE.parent.parent / "docs" / "conformance.md"


def _tell(matrix: Matrix, outcome: str, when: str = "call", client: str = "pysher") -> None:
    about = [("feature", "PUBLIC"), ("clients", [client])]
    at = ("test_pysher.py", 0, "test")
    report = pytest.TestReport("test", at, {}, outcome, None, when, user_properties=about)  # type: ignore[arg-type]
    matrix.pytest_runtest_logreport(report)


def _cells(matrix: Matrix) -> dict[str, str]:
    rows = {row[0]: row[1:] for row in matrix.rows()}
    return dict(zip(CLIENTS, rows[Feature.PUBLIC.value], strict=True))


def test_a_cell_passes_if_all_its_tests_do_and_fails_if_one_of_them_fails() -> None:
    matrix = Matrix(None)
    _tell(matrix, "passed", client="node")
    _tell(matrix, "failed", client="chromium")
    _tell(matrix, "passed", client="chromium")
    cells = _cells(matrix)
    assert (cells["node"], cells["chromium"], cells["pysher"]) == (PASS, FAIL, NOT_RUN)


def test_a_test_that_fails_before_or_after_itself_has_failed() -> None:
    for when in ("setup", "teardown"):
        matrix = Matrix(None)
        _tell(matrix, "passed")
        _tell(matrix, "failed", when)
        assert _cells(matrix)["pysher"] == FAIL


def test_a_test_that_is_skipped_has_not_been_run() -> None:
    matrix = Matrix(None)
    _tell(matrix, "passed", "setup")
    _tell(matrix, "skipped")
    _tell(matrix, "passed", "teardown")
    assert _cells(matrix)["pysher"] == NOT_RUN


def test_two_matrices_side_by_side_have_the_signs_of_both_in_each_cell() -> None:
    head = ["", "pysher", "npm"]
    one = markdown([head, ["Public", PASS, NOT_RUN]])
    other = markdown([head, ["Public", FAIL, NOT_RUN]])
    both = [head, ["Public", f"{PASS} {FAIL}", f"{NOT_RUN} {NOT_RUN}"]]
    assert side_by_side(one, other) == markdown(both)


def test_every_feature_has_a_test() -> None:
    texts = [path.read_text() for path in Path(HERE).glob("test_*.py")]
    untested = [
        which.name
        for which in Feature
        if not any(re.search(rf"\(Feature\.{which.name}\b", text) for text in texts)
    ]
    assert untested == []


def test_the_documented_matrix_has_the_rows_and_columns_of_this_one() -> None:
    head, _, *rows = re.findall(r"^\|(.*)\|$", DOCUMENT.read_text(), re.M)
    documented = [row.split("|")[0].strip() for row in rows]
    assert [name.strip() for name in head.split("|")[1:]] == [*CLIENTS.values()]
    assert documented == [which.value for which in Feature]
