"""wsrelay.rules.terms: what a rule means for an event."""

from __future__ import annotations

from wsrelay.core.rules import Directed, Newest, Proximity, Rule
from wsrelay.rules import terms
from wsrelay.rules.terms import Terms

RULE = Rule(
    channels="*",
    newest=Newest(events=("client-move", "client-position*", "client-signal")),
    directed=Directed(events=("client-signal",)),
    proximity=Proximity(event="client-move", radius=1),
)


def test_names_and_patterns_of_events_mean_what_they_say() -> None:
    known = Terms(RULE)
    assert known.meaning("client-move").is_newest
    assert known.meaning("client-move").is_position
    assert known.meaning("client-position").is_newest
    assert known.meaning("client-position.desk").is_newest
    assert not known.meaning("client-position").is_position
    assert not known.meaning("client-moved").is_newest
    assert not known.meaning("my-client-move").is_newest


def test_what_is_directed_is_never_conflated() -> None:
    meaning = Terms(RULE).meaning("client-signal")
    assert meaning.is_directed
    assert not meaning.is_newest


def test_the_relays_own_events_are_known() -> None:
    known = Terms(Rule(channels="*"))
    assert [known.meaning(event).is_own for event in terms.OWN] == [True] * 3
    assert not known.meaning("client-move").is_own


def test_what_is_remembered_of_names_that_clients_choose_is_bounded() -> None:
    known = Terms(RULE)
    for number in range(2 * terms.MOST_REMEMBERED + 1):
        assert not known.meaning(f"client-{number}").is_newest
    assert len(known._meanings) <= terms.MOST_REMEMBERED
    assert known.meaning("client-move") is known.meaning("client-move")
