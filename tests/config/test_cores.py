"""wsrelay.config.cores"""

from __future__ import annotations

from pathlib import Path

import pytest

from wsrelay.config.cores import cores, workers_of
from wsrelay.config.settings import MOST_WORKERS, Settings


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that gives this process eight cores, and says nothing of its control group."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    (tmp_path / "own").write_text("0::/system.slice/relay.service\n")
    (tmp_path / "groups/system.slice/relay.service").mkdir(parents=True)
    return tmp_path


def limit(place: Path, group: str, most: str) -> None:
    (place / "groups" / group / "cpu.max").write_text(f"{most}\n")


def found(place: Path) -> int:
    return cores(place / "groups", place / "own")


def test_a_number_is_that_many_and_auto_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsrelay.config.cores.cores", lambda: 3)
    assert workers_of(Settings(workers=7)) == 7
    assert workers_of(Settings(workers="auto")) == 3
    assert workers_of(Settings()) == 1


def test_those_that_the_scheduler_gives(eight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(eight) == 8
    (eight / "own").unlink()
    assert found(eight) == 8
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(500)))
    assert found(eight) == MOST_WORKERS


def test_no_more_than_the_container_may_use(eight: Path) -> None:
    limit(eight, "system.slice/relay.service", "250000 100000")
    assert found(eight) == 3
    limit(eight, "system.slice", "50000 100000")  # what is around it counts as well
    assert found(eight) == 1
    for group in ("system.slice", "system.slice/relay.service"):
        limit(eight, group, "max 100000")
    assert found(eight) == 8


def test_where_there_is_no_affinity_all_cores_count(
    eight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert found(eight) == 1
