"""What is said in the log, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import LogEvent, formatEvent, globalLogPublisher


@contextmanager
def logged() -> Iterator[list[str]]:
    """The lines of ours, each behind its level."""
    lines: list[str] = []

    def hear(event: LogEvent) -> None:
        if str(event.get("log_namespace")).startswith("wsrelay"):
            lines.append(f"{event['log_level'].name} {formatEvent(event)}")

    globalLogPublisher.addObserver(hear)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(hear)
