"""benchmarks.pairs"""

from __future__ import annotations

from benchmarks.pairs import turns
from benchmarks.workloads import WORKLOADS


def test_wsrelay_and_the_peer_take_turns_with_one_peer_after_the_other() -> None:
    made = turns([WORKLOADS["hall"]], ["soketi", "ws"], 2)
    assert [(turn.against, turn.pair, turn.server) for turn in made] == [
        ("soketi", 1, "wsrelay"),
        ("soketi", 1, "soketi"),
        ("soketi", 2, "wsrelay"),
        ("soketi", 2, "soketi"),
        ("ws", 1, "wsrelay"),
        ("ws", 1, "ws"),
        ("ws", 2, "wsrelay"),
        ("ws", 2, "ws"),
    ]


def test_a_peer_that_cannot_do_the_workload_is_left_out() -> None:
    made = turns([WORKLOADS["publish"]], ["ws", "soketi"], 1)
    assert [turn.server for turn in made] == ["wsrelay", "soketi"]


def test_wsrelay_runs_alone_where_no_peer_can() -> None:
    made = turns([WORKLOADS["publish"]], ["ws"], 2)
    assert [(turn.against, turn.pair, turn.server) for turn in made] == [
        (None, 1, "wsrelay"),
        (None, 2, "wsrelay"),
    ]
