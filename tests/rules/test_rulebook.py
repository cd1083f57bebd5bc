"""wsrelay.rules.rulebook: which rules a channel has."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from tests.doubles import APP, an_app
from tests.pusher.relayed import Relayed
from wsrelay.core.apps import Apps
from wsrelay.core.channel import Channel
from wsrelay.core.notices import Tally
from wsrelay.core.rules import Newest, Rule
from wsrelay.pusher import codec
from wsrelay.rules.rulebook import Means, Rulebook, rule_for

MOVES = Newest(events=("client-move",))
RULES = (
    Rule(channels="presence-office.quiet"),
    Rule(channels="presence-office.*", newest=MOVES),
    Rule(channels="*", newest=MOVES),
)


def has_rules(channel: str, *rules: Rule) -> bool:
    relayed = Relayed(an_app(rules=rules))
    client = relayed.connect()
    if channel.startswith("presence-"):
        client.join(channel, "ada")
    else:
        client.subscribe(channel)
    found = relayed.hub.channel(APP.id, channel)
    assert found is not None
    return found.rules is not None


@pytest.mark.parametrize(
    ("channel", "pattern", "fits"),
    [
        ("presence-office.1", "presence-office.*", True),
        ("presence-office.", "presence-office.*", True),
        ("presence-office-1", "presence-office.*", False),
        ("my-presence-office.1", "presence-office.*", False),
        ("presence-office.1", "presence-office.1", True),
        ("presence-office.12", "presence-office.1", False),
        ("presence-Office.1", "presence-office.*", False),
        ("room", "*", True),
        ("private-encrypted-room", "*", False),
    ],
)
def test_a_channel_has_rules_when_its_name_fits_the_pattern(
    channel: str, pattern: str, fits: bool
) -> None:
    rule = Rule(channels=pattern, newest=MOVES)
    assert has_rules(channel, rule) is fits
    assert rule_for(an_app(rules=(rule,)), channel) is (rule if fits else None)


def test_the_first_rule_that_fits_is_the_only_one() -> None:
    app = an_app(rules=RULES)
    assert rule_for(app, "presence-office.1") is RULES[1]
    assert rule_for(app, "presence-lounge") is RULES[2]
    assert rule_for(app, "presence-office.quiet") is RULES[0]


def test_a_rule_that_asks_for_nothing_makes_a_plain_channel() -> None:
    assert not has_rules("presence-office.quiet", *RULES)


def test_a_channel_of_an_app_without_rules_has_none() -> None:
    assert not has_rules("presence-office.1")


def test_a_users_own_channels_have_none() -> None:
    relayed = Relayed(an_app(rules=RULES))
    client = relayed.connect()
    client.sign_in("ada", watchlist=["bob"])
    channels = list(relayed.hub.channels(APP.id))
    assert len(channels) == 2
    assert [channel.rules for channel in channels] == [None, None]


def test_a_channel_that_comes_to_be_after_a_change_has_the_new_rules() -> None:
    apps = Apps([an_app(rules=(RULES[1],))])
    tally, clock = Tally(), Clock()
    book = Rulebook(apps, Means(codec, tally, clock.callLater, clock.seconds))
    old = book.rules_of(APP.id, Channel("presence-office.1"))
    assert old is not None
    apps.serve([an_app(rules=(RULES[0],))])
    assert book.rules_of(APP.id, Channel("presence-office.1")) is None
    assert book.rules_of(APP.id, Channel("presence-office.quiet")) is None
    apps.serve([])
    assert book.rules_of(APP.id, Channel("presence-office.1")) is None
