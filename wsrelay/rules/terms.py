"""What one rule means for each event: worked out once an event, however many channels it fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate

from msgspec import Struct

from ..core.rules import Rule

#: What the relay itself says. Nobody else may: a page could not tell who is speaking.
NEARBY, AWAY, TURN = "client-nearby", "client-away", "client-turn"
OWN = (NEARBY, AWAY, TURN)
#: Names of events whose meaning is remembered; clients choose the names.
MOST_REMEMBERED = 1000


class Meaning(Struct, frozen=True):
    """What is done with one event."""

    is_own: bool
    is_directed: bool
    #: Of the others, those of which only the newest counts.
    is_newest: bool
    #: It says where its sender is.
    is_position: bool


class Terms:
    """A rule as its channels use it."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._is_newest = _any_of(rule.newest.events if rule.newest is not None else ())
        self._is_directed = _any_of(rule.directed.events if rule.directed is not None else ())
        self._is_position = _any_of([rule.proximity.event] if rule.proximity is not None else ())
        self._meanings: dict[str, Meaning] = {}

    @property
    def are_none(self) -> bool:
        """Whether its channels are to be plain ones."""
        rule = self.rule
        return not (rule.newest or rule.directed or rule.proximity or rule.turn)

    def meaning(self, event: str) -> Meaning:
        known = self._meanings.get(event)
        if known is None:
            if len(self._meanings) >= MOST_REMEMBERED:
                self._meanings.clear()
            known = self._meanings[event] = self._worked_out(event)
        return known

    def _worked_out(self, event: str) -> Meaning:
        is_directed = self._is_directed(event)
        return Meaning(
            is_own=event in OWN,
            is_directed=is_directed,
            is_newest=not is_directed and self._is_newest(event),
            is_position=not is_directed and self._is_position(event),
        )


def _any_of(patterns: Sequence[str]) -> Callable[[str], bool]:
    if not patterns:
        return lambda event: False
    fits = re.compile("|".join(map(translate, patterns))).match
    return lambda event: fits(event) is not None
