"""wsrelay.workers.crew: questions to several, and what is known of the answers."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.workers.test_slot import FakeChild
from wsrelay.workers.crew import PATIENCE, Crew
from wsrelay.workers.slot import Slot
from wsrelay.workers.words import Hurry, Judged, Prepare, Ready


class Team:
    """A crew of doubles, all of whom serve."""

    def __init__(self, many: int) -> None:
        self.clock = Clock()
        self.crew = Crew(self.clock)
        self.children: dict[int, FakeChild] = {}
        self._pids = 100
        for number in range(1, many + 1):
            slot = Slot(
                number,
                self.clock,
                self.clock.seconds,
                self._spawn,
                heard=self.crew.hear,
                gone=lambda slot, how: self.crew.gone(slot),
            )
            self.crew.slots.append(slot)
            slot.start()
            slot.hear(Ready())

    def _spawn(self, slot: Slot) -> FakeChild:
        self._pids += 1
        self.children[slot.number] = FakeChild(self._pids)
        return self.children[slot.number]

    def hear(self, number: int, word: Any) -> None:
        self.crew.slots[number - 1].hear(word)

    def dies(self, number: int) -> None:
        self.crew.slots[number - 1].ended("was ended by SIGKILL")

    def said_to(self, number: int) -> list[Any]:
        return self.children[number].said


def asked(team: Team) -> Deferred[dict[int, Any]]:
    question = team.crew.ask(Prepare(b""), Judged, team.crew.serving)
    return Deferred.fromCoroutine(question)


def result(deferred: Deferred[Any]) -> Any:
    found: list[Any] = []
    deferred.addCallback(found.append)
    assert found, "not answered yet"
    return found[0]


def test_everybody_is_asked_and_all_answers_are_awaited() -> None:
    team = Team(2)
    answered = asked(team)
    assert [team.said_to(number) for number in (1, 2)] == [[Prepare(b"")]] * 2
    team.hear(1, Ready())  # no answer
    team.hear(1, Judged("no"))
    team.hear(1, Judged("twice"))
    assert not answered.called
    team.hear(2, Judged(""))
    assert result(answered) == {1: Judged("no"), 2: Judged("")}
    assert not team.clock.getDelayedCalls()


def test_the_dead_and_the_silent_have_no_answer() -> None:
    team = Team(3)
    answered = asked(team)
    team.dies(1)
    team.hear(2, Judged(""))
    team.clock.advance(PATIENCE)
    assert result(answered) == {2: Judged("")}
    team.hear(3, Judged("late"))
    assert result(asked(Team(0))) == {}


def test_it_is_complete_while_all_serve() -> None:
    team = Team(2)
    assert team.crew.is_complete
    team.dies(2)
    assert [slot.number for slot in team.crew.serving] == [1]
    assert not team.crew.is_complete


def test_it_says_when_all_are_gone() -> None:
    team = Team(2)
    for slot in team.crew:
        slot.end()
    gone = team.crew.when_gone()
    team.crew.say(Hurry())
    assert team.said_to(2) == [Hurry()]
    team.dies(1)
    assert not gone.called
    team.dies(2)
    assert gone.called
    assert team.crew.when_gone().called
