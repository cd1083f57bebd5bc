"""What a check has found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    GOOD = "good"
    #: Could not be looked at, or nothing is configured that could be.
    SKIPPED = "skipped"
    #: Works, and somebody should look at it some day.
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One line of ``wsrelay doctor``."""

    check: str
    level: Level
    found: str
    #: What to do; never empty for a warning or a fault.
    advice: str = ""


def good(check: str, found: str) -> Finding:
    return Finding(check, Level.GOOD, found)


def skipped(check: str, found: str) -> Finding:
    return Finding(check, Level.SKIPPED, found)


def warning(check: str, found: str, advice: str) -> Finding:
    return Finding(check, Level.WARNING, found, advice)


def fault(check: str, found: str, advice: str) -> Finding:
    return Finding(check, Level.FAULT, found, advice)
