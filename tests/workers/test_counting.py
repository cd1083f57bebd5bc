"""wsrelay.workers.counting"""

from __future__ import annotations

from typing import Any

from tests.workers.test_crew import Team
from wsrelay.metrics.summed import Family
from wsrelay.workers.counting import Counting
from wsrelay.workers.words import Beat, Ready

STATUS: dict[str, Any] = {
    "ready": True,
    "reasons": [],
    "listening": ["tcp 127.0.0.1:6001"],
    "apps": [],
    "certificates": [],
    "connections": 3,
    "channels": 2,
    "messages_in_total": 5,
    "messages_out_total": 0,
    "slow_readers_total": 0,
    "refused_total": 0,
    "reactor_lag_seconds": 0.5,
    "webhooks": {"sent": 1},
}


def sample(counting: Counting, name: str, **labels: str) -> float:
    [value] = [
        sample.value
        for family in counting.summed.collect()
        for sample in family.samples
        if (sample.name, sample.labels) == (name, labels)
    ]
    return value


def test_it_tells_of_all_workers_and_of_each() -> None:
    team = Team(2)
    counting = Counting(team.crew, 0.0, lambda: 10.0)
    for number, slot in enumerate(team.crew, 1):
        beat = Beat(STATUS, [Family("seen", "m", "counter", [("seen_total", {}, number)])])
        slot.hear(beat)
        counting.beat(slot, beat)
    assert sample(counting, "seen_total") == 3
    assert sample(counting, "wsrelay_ready") == 1
    assert sample(counting, "wsrelay_worker_connections", worker="2") == 3
    assert counting.line() == "6 connections, 4 channels, 2 workers"
    status = counting.status()
    assert (status["ready"], status["connections"], status["uptime_seconds"]) == (True, 6, 10.0)


def test_who_is_missing_is_seen_and_his_totals_stay() -> None:
    team = Team(2)
    counting = Counting(team.crew, 0.0, lambda: 10.0)
    first, second = team.crew
    assert counting.status()["reasons"] == [
        "worker 1: nothing was heard of it yet",
        "worker 2: nothing was heard of it yet",
    ]
    for slot in team.crew:
        slot.hear(Beat(STATUS, ()))
    counting.gone(first)
    team.dies(1)
    assert counting.line() == "3 connections, 2 channels, 1 of 2 workers"
    assert counting.status()["messages_in_total"] == 10
    assert counting.status()["reasons"] == ["worker 1: there is none at the moment"]
    assert sample(counting, "wsrelay_ready") == 0
    assert sample(counting, "wsrelay_worker_up", worker="1") == 0
    assert sample(counting, "wsrelay_worker_restarts_total", worker="1") == 1
    team.clock.advance(0)
    assert counting.status()["reasons"] == ["worker 1: it is starting"]
    first.hear(Ready())
    assert sample(counting, "wsrelay_worker_up", worker="1") == 1
    second.end()
