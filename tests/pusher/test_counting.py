"""wsrelay.pusher.counting"""

from __future__ import annotations

import pytest

from tests.doubles import APP, Heard, an_app
from tests.pusher.relayed import Client, Relayed
from wsrelay.core.notices import SubscriptionCounted
from wsrelay.pusher.counting import FEW, PAUSE


@pytest.fixture
def relayed() -> Relayed:
    return Relayed(an_app(subscription_count=True))


def count_of(messages: list[Heard]) -> list[str]:
    return [
        message["data"]
        for message in messages
        if message["event"] == "pusher_internal:subscription_count"
    ]


def comes(relayed: Relayed, channel: str = "room") -> Client:
    client = relayed.connect()
    client.subscribe(channel)
    return client


def told(count: int) -> str:
    return f'{{"subscription_count":{count}}}'


def test_all_subscribers_are_told_at_every_coming_and_going(relayed: Relayed) -> None:
    first = comes(relayed)
    second = comes(relayed)
    assert [message["event"] for message in second.heard()] == [
        "pusher_internal:subscription_succeeded",
        "pusher_internal:subscription_count",
    ]
    second.unsubscribe("room")
    assert count_of(first.heard()) == [told(1), told(2), told(1)]


def test_a_connection_that_is_lost_counts_no_more(relayed: Relayed) -> None:
    first, second = comes(relayed), comes(relayed)
    first.heard()
    second.vanish()
    assert count_of(first.heard()) == [told(1)]


def test_the_observer_hears_every_count_that_is_told(relayed: Relayed) -> None:
    comes(relayed).vanish()
    assert relayed.notices.of(SubscriptionCounted) == [
        SubscriptionCounted(APP.id, "room", 1),
        SubscriptionCounted(APP.id, "room", 0),
    ]


def test_nobody_is_told_where_the_app_does_not_ask_for_it() -> None:
    assert count_of(comes(Relayed()).heard()) == []


def test_presence_channels_have_members_instead(relayed: Relayed) -> None:
    client = relayed.connect()
    client.join("presence-room", "ada")
    assert count_of(client.heard()) == []


def test_a_users_own_channel_is_not_counted(relayed: Relayed) -> None:
    client = relayed.connect()
    client.sign_in("42")
    client.subscribe("#server-to-user-42")
    assert count_of(client.heard()) == []


def test_a_large_channel_is_told_the_newest_count_once_in_a_while(relayed: Relayed) -> None:
    first = comes(relayed)
    for _ in range(FEW - 1):
        comes(relayed)
    first.heard()
    for _ in range(50):
        comes(relayed)
    assert count_of(first.heard()) == [told(FEW + 1)]
    relayed.clock.advance(PAUSE)
    assert count_of(first.heard()) == [told(FEW + 50)]
    relayed.clock.advance(PAUSE)
    assert count_of(first.heard()) == []
    comes(relayed)
    assert count_of(first.heard()) == [told(FEW + 51)]


def test_a_large_channel_that_shrank_is_told_at_every_change_again(relayed: Relayed) -> None:
    clients = [comes(relayed) for _ in range(FEW + 1)]
    first = clients.pop(0)
    for client in clients:
        client.vanish()
    first.heard()
    relayed.clock.advance(PAUSE)
    assert count_of(first.heard()) == [told(1)]
    comes(relayed)
    assert count_of(first.heard()) == [told(2)]


def test_nothing_is_remembered_when_all_are_gone(relayed: Relayed) -> None:
    for client in [comes(relayed) for _ in range(FEW + 1)]:
        client.vanish()
    relayed.clock.advance(PAUSE)
    relayed.clock.advance(PAUSE)
    assert relayed.clock.getDelayedCalls() == []
    relayed.assert_empty()
    assert relayed.around.counting._paused == {}


def test_at_the_end_nobody_is_told_any_more(relayed: Relayed) -> None:
    clients = [comes(relayed) for _ in range(FEW + 1)]
    clients[0].vanish()
    assert relayed.clock.getDelayedCalls() != []
    relayed.around.counting.end()
    assert relayed.clock.getDelayedCalls() == []
