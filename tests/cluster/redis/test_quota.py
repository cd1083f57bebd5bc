"""wsrelay.cluster.redis.quota: how often a number is told (``test_room``: that it counts)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.signing import APP
from wsrelay.cluster.redis.envelope import Connections as Told
from wsrelay.cluster.redis.names import Names
from wsrelay.cluster.redis.quota import DELAY, FEW, Quota
from wsrelay.core.apps import Apps
from wsrelay.core.connections import Connections


@pytest.mark.parametrize(("nodes", "delay"), [(1, DELAY), (FEW, DELAY), (25 * FEW, 25 * DELAY)])
def test_however_many_nodes_there_are_they_say_as_much(nodes: int, delay: float) -> None:
    clock, connections, told = Clock(), Connections(), list[bytes]()
    link = SimpleNamespace(
        tell=lambda *command: None, publish=lambda channel, letter: told.append(letter)
    )
    steps: Any = SimpleNamespace(link=link, names=Names("wsrelay"))
    quota = Quota(steps, "origin", Apps((APP,)), connections, clock.callLater)
    for number in range(nodes - 1):
        quota.hear(Told(f"node{number}", APP.id, 1))
    for _ in range(3):
        assert connections.on_change is not None
        connections.on_change(APP.id)
        clock.advance(delay * 0.9)
        assert told == []
        connections.on_change(APP.id)
        clock.advance(delay * 0.2)
        assert len(told) == 1
        told.clear()
