"""wsrelay.webhooks.outage"""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogLevel

from tests.webhooks.conftest import Log
from wsrelay.webhooks.outage import Outage

NAME = "webhook 1 of app 7 (https://example.com)"
FALLS_BEHIND = f"{NAME} falls behind (10000 deliveries wait): the oldest are dropped"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> Outage:
    return Outage(NAME, clock.seconds)


def test_all_is_well_without_a_word(outage: Outage, log: Log) -> None:
    outage.over()
    outage.ended("the relay stopped")
    assert log == []


def test_an_outage_is_one_line_when_it_begins_and_one_when_it_is_over(
    outage: Outage, clock: Clock, log: Log
) -> None:
    for _ in range(1000):
        outage.failing("refuses connections")
    assert [event["log_level"] for event in log] == [LogLevel.warn]
    assert log.lines() == [f"{NAME} refuses connections; every event is tried again for 5 minutes"]
    outage.failed("answered 500")
    outage.failed("answered 500")
    clock.advance(12.3)
    outage.over()
    outage.over()
    assert log.lines() == [f"{NAME} accepts again after 12 s; 2 given up, 0 dropped"]


def test_the_next_outage_is_told_again_and_counts_anew(outage: Outage, log: Log) -> None:
    outage.failed("answered 500")
    outage.over()
    log.clear()
    outage.failing("answered 502")
    outage.over()
    assert log.lines() == [
        f"{NAME} answered 502; every event is tried again for 5 minutes",
        f"{NAME} accepts again after 0 s; 0 given up, 0 dropped",
    ]


def test_dropping_is_one_line_more(outage: Outage, log: Log) -> None:
    outage.failing("refuses connections")
    for _ in range(1000):
        outage.dropped("10000 deliveries wait")
    assert log.lines()[1:] == [
        f"{NAME} falls behind (10000 deliveries wait): the oldest are dropped"
    ]
    outage.over()
    assert log.lines() == [f"{NAME} accepts again after 0 s; 0 given up, 1000 dropped"]


def test_a_receiver_that_is_only_slow_is_told_of_too(outage: Outage, log: Log) -> None:
    outage.dropped("10000 deliveries wait")
    assert log.lines() == [FALLS_BEHIND]
    outage.over()
    assert log.lines() == [f"{NAME} accepts again after 0 s; 0 given up, 1 dropped"]


def test_what_was_lost_is_told_when_the_relay_stops(outage: Outage, clock: Clock, log: Log) -> None:
    outage.failing("refuses connections")
    outage.dropped("the relay is stopping")
    log.clear()
    clock.advance(5)
    outage.ended("the relay stopped")
    assert log.lines() == [
        f"{NAME} was in trouble for 5 s when the relay stopped; 0 given up, 1 dropped"
    ]
