"""``[[apps.rules]]``: what the file may say, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsrelay.config.resolve import ConfigurationError, Given, resolve
from wsrelay.core.rules import Directed, Newest, Proximity, Rule, Turn
from wsrelay.core.secret import Secret

OFFICE = """
[[apps]]
id = "1"
key = "a-key"
secret = "a-secret"

[[apps.rules]]
channels = "presence-office.*"
newest = { events = ["client-move"], rate = 20 }
directed = { field = "to", events = ["client-signal"] }
snapshot = true
proximity = { event = "client-move", x = "x", y = "y", radius = 300, hysteresis = 30 }
turn = { urls = ["turn:turn.example.org:3478"], secret = "turn-secret", ttl = 3600 }
"""


def rules_in(text: str, tmp_path: Path) -> tuple[Rule, ...]:
    file = tmp_path / "wsrelay.toml"
    file.write_text(text)
    [app] = resolve(Given(config=str(file)), {}).apps
    return app.rules


def test_a_rule_says_what_its_channels_do(tmp_path: Path) -> None:
    assert rules_in(OFFICE, tmp_path) == (
        Rule(
            channels="presence-office.*",
            newest=Newest(events=("client-move",), rate=20),
            directed=Directed(field="to", events=("client-signal",)),
            snapshot=True,
            proximity=Proximity(event="client-move", radius=300, hysteresis=30),
            turn=Turn(urls=("turn:turn.example.org:3478",), secret=Secret("turn-secret")),
        ),
    )


def test_without_a_word_an_app_has_no_rules(tmp_path: Path) -> None:
    assert rules_in(OFFICE.split("[[apps.rules]]")[0], tmp_path) == ()


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("rate = 20", "rat = 20", "newest.rat: unknown key; expected one of events, rate"),
        ("rate = 20", "rate = 0", "newest.rate: expected float > 0.0"),
        ("rate = 20", "rate = inf", "newest.rate: expected float <= 1000.0"),
        ("rate = 20", "rate = nan", "newest.rate: expected float > 0.0"),
        ("radius = 300", "radius = nan", "proximity.radius: expected float >= 1e-06"),
        ('x = "x"', 'x = "y"', "proximity: x and y must be two fields"),
        ('["client-move"]', '["move"]', r"newest.events[0]: expected str matching regex"),
        ('["client-move"]', "[]", "newest.events: expected array of length >= 1"),
        ("ttl = 3600", "ttl = 3", "turn.ttl: expected int >= 60"),
        ('"turn-secret"', '""', "turn.secret: expected str that is not empty"),
        ('"turn:turn.', '"http://turn.', "turn.urls[0]: expected str matching regex"),
        (
            "channels =",
            "chanels =",
            "chanels: unknown key; expected one of channels, newest, directed, snapshot, "
            "proximity, turn",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(
    right: str, wrong: str, told: str, tmp_path: Path
) -> None:
    assert right in OFFICE
    with pytest.raises(ConfigurationError) as raised:
        rules_in(OFFICE.replace(right, wrong), tmp_path)
    where, _, what = str(raised.value).partition(": ")
    assert where == str(tmp_path / "wsrelay.toml")
    assert what.startswith(f"apps[0].rules[0].{told}")
    assert "turn-secret" not in what


def test_a_snapshot_needs_events_to_be_made_of(tmp_path: Path) -> None:
    text = "\n".join(
        line for line in OFFICE.splitlines() if not line.startswith(("newest", "proximity"))
    )
    with pytest.raises(ConfigurationError, match="snapshot needs newest or proximity"):
        rules_in(text, tmp_path)
