"""wsrelay.sparingly"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from wsrelay.sparingly import Sparingly


@pytest.fixture
def lines() -> Iterator[list[str]]:
    told: list[str] = []

    def observe(event: LogEvent) -> None:
        told.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield told
    globalLogPublisher.removeObserver(observe)


def test_the_first_is_told_at_once_and_the_next_when_it_is_time(lines: list[str]) -> None:
    clock = Clock()
    sparingly = Sparingly(clock.seconds)
    for number in range(5):
        sparingly.warn("number {number}", number=number)
        clock.advance(1)
    assert lines == ["number 0"]
    clock.advance(6)
    sparingly.warn("number {number}", number=5)
    sparingly.warn("number {number}", number=6)
    assert lines == ["number 0", "number 5 (and 4 more such before)"]


def test_as_many_as_the_rate_are_told_at_once(lines: list[str]) -> None:
    clock = Clock()
    sparingly = Sparingly(clock.seconds, rate=3)
    for _ in range(5):
        sparingly.warn("again")
    assert lines == ["again"] * 3
    clock.advance(0.5)
    sparingly.warn("again")
    assert lines[3:] == ["again (and 2 more such before)"]
