from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher


class Log(list[LogEvent]):
    """What was logged, as an operator reads it."""

    def lines(self) -> list[str]:
        lines = [str(formatEvent(event)) for event in self]
        self.clear()
        return lines


@pytest.fixture
def log() -> Iterator[Log]:
    gc.collect()  # attempts that an earlier test left under way say so when they are collected
    events = Log()
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)
