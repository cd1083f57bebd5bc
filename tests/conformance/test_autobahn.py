"""Autobahn's suite: nothing FAILED, and nothing NON-STRICT either.

All 517 cases in all ways take ten minutes and more. Where ``CI`` is set, most of the 132 long ones
are left out, and over wss all that is about compression but one case of a section; elsewhere also
over ws. ``tox -e conformance`` leaves out nothing; so does this where
``WSRELAY_TEST_CONFORMANCE=all``.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.autobahn import (
    WAYS,
    Verdict,
    Way,
    all_cases,
    driver,
    is_about_compression,
    is_slow,
    run,
)

IS_WHOLE = os.environ.get("WSRELAY_TEST_CONFORMANCE") == "all"
#: Of each section: a short message, and one of 128 KiB in many fragments.
SAMPLES = (".1", ".18")


def chosen(cases: list[str], way: Way) -> list[str]:
    """What is tried here."""
    if IS_WHOLE or not way.deflate:
        return cases
    if way.tls or "CI" not in os.environ:
        return [case for case in cases if not is_about_compression(case) or case.endswith(".1")]
    return [case for case in cases if not is_slow(case) or case.endswith(SAMPLES)]


@pytest.fixture(scope="module")
def cases() -> list[str]:
    return all_cases()


@pytest.fixture(scope="module")
def verdicts(
    cases: list[str], tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> dict[Way, list[Verdict]]:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    counts = Counter[Way]()

    def told(verdict: Verdict) -> None:
        """A line now and then, for whoever wonders whether it still runs."""
        way = verdict.way
        counts[way] += 1
        if counts[way] % 100 == 0:
            with capture.global_and_fixture_disabled():
                print(f"\n{way}: {counts[way]} of {len(chosen(cases, way))} cases", end=" ")  # noqa: T201

    reports = tmp_path_factory.mktemp("conformance")
    return run(WAYS, lambda way: chosen(cases, way), reports, told)


def test_a_case_that_hangs_is_given_up_and_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/echo"
        begun, given_up = driver(url, "0.5", str(tmp_path), "1.1.1")
    assert begun == {"begun": "1.1.1"}
    assert (given_up["case"], given_up["behavior"]) == ("1.1.1", "HUNG")
    assert not Verdict(WAYS[0], **given_up).is_right


def test_the_suite_has_all_its_cases(cases: list[str]) -> None:
    assert len(cases) == 517


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_suite_is_content_with_every_case(
    way: Way, cases: list[str], verdicts: dict[Way, list[Verdict]]
) -> None:
    assert [verdict for verdict in verdicts[way] if not verdict.is_right] == []
    assert {verdict.case for verdict in verdicts[way]} == set(chosen(cases, way))
