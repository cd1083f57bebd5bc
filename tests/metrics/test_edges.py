"""wsrelay.metrics.edges"""

from __future__ import annotations

from wsrelay.core.errors import Code
from wsrelay.core.notices import (
    ChannelOccupied,
    ConnectionClosed,
    ConnectionDenied,
    ConnectionOpened,
    SubscriptionDenied,
)
from wsrelay.metrics.edges import Edges


def test_what_comes_and_goes_is_counted_by_what_is_known_beforehand() -> None:
    edges = Edges()
    edges(ConnectionOpened("7", "1.1", "192.0.2.1:5", "js"))
    edges(ConnectionOpened("7", "1.2", "192.0.2.1:6", "js"))
    edges(ConnectionClosed("7", "1.1", "192.0.2.1:5", 1006, ""))
    edges(ConnectionDenied("192.0.2.1:7", Code.APP_NOT_FOUND, "why"))
    edges(SubscriptionDenied("7", "1.2", "private-room", 401, "why"))
    edges(ChannelOccupied("7", "room"))
    assert edges.opened == {"7": 2}
    assert {code: count for code, count in edges.closed.items() if count} == {"1006": 1}
    assert {code: count for code, count in edges.refused.items() if count} == {"4001": 1}
    assert edges.subscriptions_refused == {"401": 1}


def test_codes_that_clients_invent_are_counted_together() -> None:
    edges = Edges()
    for code in range(3000, 5000):
        edges(ConnectionClosed("7", "1.1", "192.0.2.1:5", code, ""))
    known = len(Code)
    assert edges.closed["other"] == 2000 - known
    assert len(edges.closed) < known + 10
