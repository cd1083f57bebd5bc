"""wsrelay.metrics.summed_status: the document of several workers has the fields of that of one."""

from __future__ import annotations

import os
from typing import Any

from tests.metrics.watching import watched
from wsrelay.metrics.summed_status import Told, gone_with, summed


def statuses() -> list[Any]:
    """Of two relays, the second of which serves one app more and is not ready."""
    with watched() as seen:
        seen.relay.guest("room", "hall")
        first = dict(seen.status())
    second = {
        **first,
        "ready": False,
        "reasons": ["Redis: refused"],
        "apps": [*first["apps"], {"id": "2002", "connections": 3, "channels": 1}],
        "connections": 4,
        "reactor_lag_seconds": 9.5,
        "webhooks": dict.fromkeys(first["webhooks"], 2),
    }
    return [first, second]


def test_it_has_the_fields_of_one_and_sums() -> None:
    one, other = statuses()
    told = summed([Told(1, 11, "", 0, one), Told(2, 12, "", 3, other)], {}, 0.0, 61.5)
    assert told.keys() == {*one, "workers"}
    assert (told["pid"], told["started_at"]) == (os.getpid(), "1970-01-01T00:00:00+00:00")
    assert (told["connections"], told["channels"], told["reactor_lag_seconds"]) == (5, 4, 9.5)
    assert told["apps"] == [
        {"id": "1001", "connections": 2, "channels": 4},
        {"id": "2002", "connections": 3, "channels": 1},
    ]
    assert told["webhooks"] == dict.fromkeys(one["webhooks"], 2)
    assert (told["ready"], told["reasons"]) == (False, ["worker 2: Redis: refused"])
    assert told["workers"] == [
        {"worker": 1, "pid": 11, "ready": True, "connections": 1, "restarts": 0},
        {"worker": 2, "pid": 12, "ready": False, "connections": 4, "restarts": 3},
    ]


def test_before_anybody_was_heard_of_it_says_why() -> None:
    told = summed([Told(1, None, "it is starting", 0, {})], {}, 0.0, 0.0)
    assert (told["ready"], told["reasons"]) == (False, ["worker 1: it is starting"])
    assert (told["connections"], told["listening"], told["webhooks"]) == (0, [], {})


def test_totals_of_those_who_are_gone_stay_and_what_they_had_open_does_not() -> None:
    one, other = statuses()
    one["messages_in_total"] = 5
    gone = gone_with(gone_with(gone_with({}, one), other), {})
    told = summed([Told(1, 11, "", 1, one)], gone, 0.0, 0.0)
    assert told["messages_in_total"] == 5 + 5 + other["messages_in_total"]
    assert told["connections"] == one["connections"]
    assert (told["webhooks"]["sent"], told["webhooks"]["queued"]) == (2, 0)
