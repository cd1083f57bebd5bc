"""All workers together: what they are asked at once, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from .slot import Slot, State
from .words import FromWorker, ToWorker

#: Seconds that workers have to answer.
PATIENCE = 10.0


class Crew:
    """The slots, by their numbers, which begin with 1."""

    def __init__(self, clock: IReactorTime) -> None:
        self.slots: list[Slot] = []
        self._clock = clock
        self._asked: Asked | None = None
        self._when_gone: Deferred[None] | None = None

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    @property
    def serving(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.state is State.SERVING]

    @property
    def is_complete(self) -> bool:
        return len(self.serving) == len(self.slots)

    def say(self, word: ToWorker) -> None:
        for slot in self.slots:
            slot.say(word)

    async def ask(self, word: ToWorker, kind: type[Any], those: Sequence[Slot]) -> dict[int, Any]:
        """Say it to those; their answers, by number, but for who dies or is silent.

        One question at a time.
        """
        assert self._asked is None
        asked = self._asked = Asked(self._clock, kind, {slot.number for slot in those})
        for slot in those:
            slot.say(word)
        try:
            return await asked.answered
        finally:
            self._asked = None

    def when_gone(self) -> Deferred[None]:
        """Fires when there is no process any more."""
        when_gone = self._when_gone = Deferred()
        self._look()
        return when_gone

    # -- what happens ------------------------------------------------------------------------

    def hear(self, slot: Slot, word: FromWorker) -> None:
        if self._asked is not None:
            self._asked.hear(slot.number, word)

    def gone(self, slot: Slot) -> None:
        if self._asked is not None:
            self._asked.gone(slot.number)
        self._look()

    def _look(self) -> None:
        if self._when_gone is not None and not any(slot.is_alive for slot in self.slots):
            when_gone, self._when_gone = self._when_gone, None
            when_gone.callback(None)


class Asked:
    """A question, and the answers to it."""

    def __init__(self, clock: IReactorTime, kind: type[Any], numbers: set[int]) -> None:
        self.answered: Deferred[dict[int, Any]] = Deferred()
        self._kind = kind
        self._awaited = numbers
        self._answers: dict[int, Any] = {}
        self._timeout: IDelayedCall = clock.callLater(PATIENCE, self._end)
        if not numbers:
            self._end()

    def hear(self, number: int, word: FromWorker) -> None:
        if number in self._awaited and isinstance(word, self._kind):
            self._answers[number] = word
            self.gone(number)

    def gone(self, number: int) -> None:
        self._awaited.discard(number)
        if not self._awaited:
            self._end()

    def _end(self) -> None:
        if self._timeout.active():
            self._timeout.cancel()
        if not self.answered.called:
            self.answered.callback(self._answers)
