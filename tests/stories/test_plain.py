"""Without rules for a channel every byte is what it was before there were rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.signing import APP
from tests.stories.recorded import conversation
from wsrelay.core.rules import Directed, Newest, Proximity, Rule, Turn
from wsrelay.core.secret import Secret

#: Written down by ``tests.stories.recorded`` on the last release without rules.
RECORDED = (Path(__file__).parent / "plain_conversation.txt").read_text().splitlines()

EVERYTHING = Rule(
    channels="presence-office.*",
    newest=Newest(events=("client-*",)),
    directed=Directed(events=("client-signal",)),
    snapshot=True,
    proximity=Proximity(event="client-move", radius=1),
    turn=Turn(urls=("turn:turn.example.org",), secret=Secret("north")),
)


@pytest.mark.parametrize(
    "rules",
    [
        (),
        (replace(EVERYTHING, channels="presence-lounge.*"),),
        (Rule(channels="presence-office.*"), replace(EVERYTHING, channels="presence-*")),
    ],
    ids=["no rules", "rules for other channels", "rules that ask for nothing"],
)
def test_a_plain_conversation_is_byte_for_byte_what_it_was(rules: tuple[Rule, ...]) -> None:
    assert conversation(replace(APP, rules=rules)) == RECORDED


def test_with_rules_it_is_another_one() -> None:
    assert conversation(replace(APP, rules=(EVERYTHING,))) != RECORDED
