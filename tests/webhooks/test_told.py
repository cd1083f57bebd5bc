"""wsrelay.webhooks.told"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.task import Clock

import tests.properties  # noqa: F401  (how many examples)
from wsrelay.core.notices import (
    CacheMissed,
    ChannelOccupied,
    ChannelVacated,
    ClientEventSent,
    MemberAdded,
    MemberRemoved,
    SubscriptionCounted,
)
from wsrelay.core.ports import Timer
from wsrelay.webhooks import told as told_module
from wsrelay.webhooks.told import GRACE, KINDS_OF, MISS_WINDOW, SLICE, Event, Told, WebhookNotice

LOBBY = "presence-lobby"


class Telling:
    """``Told`` with a clock that the test moves, and all that it told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.told = Told(self.events.append, self.clock.seconds, self.clock.callLater)

    def hear(self, *notices: WebhookNotice) -> list[str]:
        for notice in notices:
            self.told.hear(notice)
        return self.take()

    def wait(self, seconds: float) -> list[str]:
        self.clock.advance(seconds)
        return self.take()

    def take(self) -> list[str]:
        """The names of what was told since the last look, each with its user."""
        words = [
            f"{event.name} {event.details.get('user_id', '')}".strip() for event in self.events
        ]
        self.events.clear()
        return words


OCCUPIED, VACATED = ChannelOccupied("1", LOBBY), ChannelVacated("1", LOBBY)
ADDED, REMOVED = MemberAdded("1", LOBBY, "ada"), MemberRemoved("1", LOBBY, "ada")


def test_who_comes_is_told_at_once_and_the_channel_before_its_member() -> None:
    assert Telling().hear(OCCUPIED, ADDED) == ["channel_occupied", "member_added ada"]


def test_who_goes_is_told_after_three_seconds_and_the_member_before_its_channel() -> None:
    telling = Telling()
    telling.hear(OCCUPIED, ADDED)
    assert telling.hear(REMOVED, VACATED) == []
    assert telling.wait(2.999) == []
    assert telling.wait(0.001) == ["member_removed ada", "channel_vacated"]
    assert telling.wait(100) == []


def test_who_is_back_within_three_seconds_was_never_away() -> None:
    telling = Telling()
    telling.hear(OCCUPIED, ADDED)
    telling.hear(REMOVED, VACATED)
    telling.wait(2.999)
    assert telling.hear(OCCUPIED, ADDED) == []
    assert telling.wait(100) == []


def test_who_is_back_after_four_seconds_has_been_away() -> None:
    telling = Telling()
    telling.hear(OCCUPIED)
    telling.hear(VACATED)
    assert telling.wait(4) == ["channel_vacated"]
    assert telling.hear(OCCUPIED) == ["channel_occupied"]


def test_the_grace_counts_from_the_last_time_somebody_left() -> None:
    telling = Telling()
    telling.hear(OCCUPIED)
    telling.hear(VACATED)
    telling.wait(2)
    telling.hear(OCCUPIED, VACATED)
    assert telling.wait(2.999) == []
    assert telling.wait(0.001) == ["channel_vacated"]


def test_each_has_its_own_grace() -> None:
    telling = Telling()
    telling.hear(OCCUPIED, ADDED, MemberAdded("1", LOBBY, "bob"))
    telling.hear(REMOVED)
    telling.wait(1)
    telling.hear(MemberRemoved("1", LOBBY, "bob"), VACATED)
    assert telling.wait(2) == ["member_removed ada"]
    assert telling.wait(1) == ["member_removed bob", "channel_vacated"]


def test_a_channel_goes_after_its_last_member_even_if_it_was_said_to_be_empty_before() -> None:
    telling = Telling()
    telling.hear(OCCUPIED, ADDED)
    telling.hear(VACATED)
    telling.wait(1)
    telling.hear(REMOVED)
    assert telling.wait(2) == []
    assert telling.wait(1) == ["member_removed ada", "channel_vacated"]


def test_what_the_receivers_know_already_is_not_told_again() -> None:
    telling = Telling()
    assert telling.hear(VACATED, REMOVED) == []
    assert telling.wait(GRACE) == []
    telling.hear(OCCUPIED, ADDED)
    assert telling.hear(OCCUPIED, ADDED) == []
    telling.hear(REMOVED)
    telling.wait(1)
    telling.hear(REMOVED)
    assert telling.wait(2) == ["member_removed ada"]


def test_channels_of_the_same_name_in_two_apps_are_two_channels() -> None:
    telling = Telling()
    telling.hear(OCCUPIED)
    assert telling.hear(ChannelOccupied("2", LOBBY)) == ["channel_occupied"]
    telling.hear(VACATED)
    telling.told.hear(ChannelOccupied("2", LOBBY))
    telling.wait(GRACE - 1)
    telling.clock.advance(1)
    assert telling.events == [Event("1", "channel_vacated", LOBBY, {})]


def test_a_client_event_is_told_with_its_user_where_it_has_one() -> None:
    telling = Telling()
    telling.told.hear(ClientEventSent("1", "private-a", "client-x", '{"n":1}', "1.1", None))
    telling.told.hear(ClientEventSent("1", LOBBY, "client-x", "hi", "1.1", "ada"))
    assert telling.events == [
        Event(
            "1",
            "client_event",
            "private-a",
            {"event": "client-x", "data": '{"n":1}', "socket_id": "1.1"},
        ),
        Event(
            "1",
            "client_event",
            LOBBY,
            {"event": "client-x", "data": "hi", "socket_id": "1.1", "user_id": "ada"},
        ),
    ]


def test_a_count_is_told_each_time() -> None:
    telling = Telling()
    for count in (1, 2, 2):
        telling.told.hear(SubscriptionCounted("1", "news", count))
    assert [event.details for event in telling.events] == [
        {"subscription_count": 1},
        {"subscription_count": 2},
        {"subscription_count": 2},
    ]


def test_a_thousand_who_miss_together_are_one_cache_miss() -> None:
    telling = Telling()
    missed = CacheMissed("1", "cache-news")
    assert telling.hear(*[missed] * 1000) == ["cache_miss"]
    telling.wait(MISS_WINDOW - 0.001)
    assert telling.hear(missed) == []
    assert telling.hear(CacheMissed("1", "cache-other"), CacheMissed("2", "cache-news")) == [
        "cache_miss",
        "cache_miss",
    ]
    telling.wait(0.001)
    assert telling.hear(missed) == ["cache_miss"]


def test_only_so_many_misses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_module, "MOST_MISSES", 2)
    telling = Telling()
    names = ["cache-a", "cache-b", "cache-c"]
    assert len(telling.hear(*[CacheMissed("1", name) for name in names])) == 3
    assert len(telling.told._missed) == 2
    assert telling.hear(CacheMissed("1", "cache-c")) == []
    assert telling.hear(CacheMissed("1", "cache-a")) == ["cache_miss"]


def test_only_so_many_are_held_back_and_the_longest_held_goes_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(told_module, "MOST_HELD", 2)
    telling = Telling()
    users = ["ada", "bob", "cyd"]
    telling.hear(OCCUPIED, *[MemberAdded("1", LOBBY, user) for user in users])
    assert telling.hear(*[MemberRemoved("1", LOBBY, user) for user in users]) == [
        "member_removed ada"
    ]
    assert telling.wait(GRACE) == ["member_removed bob", "member_removed cyd"]


def test_a_hall_that_leaves_at_once_is_told_in_slices() -> None:
    clock, events, turns = Clock(), [], []

    def call_later(seconds: float, what: Callable[[], None]) -> Timer:
        turns.append(len(events))
        return clock.callLater(seconds, what)

    told = Told(events.append, clock.seconds, call_later)
    users = [str(number) for number in range(2 * SLICE + 1)]
    for user in users:
        told.hear(MemberAdded("1", LOBBY, user))
    events.clear()
    for user in users:
        told.hear(MemberRemoved("1", LOBBY, user))
    clock.advance(GRACE)
    assert turns == [0, SLICE, 2 * SLICE]
    assert [event.details["user_id"] for event in events] == users


def test_at_the_end_everybody_goes_and_nothing_is_left_to_happen() -> None:
    telling = Telling()
    telling.hear(ChannelOccupied("1", "news"), OCCUPIED, ADDED, MemberAdded("1", LOBBY, "bob"))
    telling.hear(REMOVED)
    telling.told.end()
    words = telling.take()
    assert words[:2] == ["member_removed ada", "member_removed bob"]
    assert words[2:] == ["channel_vacated"] * 2
    assert telling.clock.getDelayedCalls() == []


def test_nothing_is_remembered_of_who_has_gone() -> None:
    telling = Telling()
    telling.hear(OCCUPIED, ADDED)
    telling.hear(REMOVED, VACATED)
    telling.wait(GRACE)
    assert not telling.told._present
    assert not telling.told._leaving
    assert telling.clock.getDelayedCalls() == []


def test_every_notice_that_can_become_an_event_is_known_by_its_kinds() -> None:
    assert set(KINDS_OF) == set(WebhookNotice.__args__)


CHANNELS = ["presence-a", "presence-b"]
USERS = ["ada", "bob"]


class Debouncing(RuleBasedStateMachine):
    """Whatever comes and goes and when: what a receiver learns of it is true, and never stale for
    longer than the grace. The receiver is one that believes every event it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.told = Told(self.believe, self.clock.seconds, self.clock.callLater)
        #: Who is there, and since when somebody is not there any more.
        self.live: set[tuple[str, str | None]] = set()
        self.gone_since: dict[tuple[str, str | None], float] = {}
        self.view: set[tuple[str, str | None]] = set()

    def believe(self, event: Event) -> None:
        user_id = event.details.get("user_id")
        subject = (event.channel, None if user_id is None else str(user_id))
        if event.name in ("channel_occupied", "member_added"):
            assert subject not in self.view, f"told twice in a row: {event}"
            assert subject in self.live
            self.view.add(subject)
        else:
            assert subject in self.view, f"told twice in a row: {event}"
            assert subject not in self.live
            assert self.clock.seconds() > self.gone_since[subject] + GRACE - 1e-6
            self.view.remove(subject)
        if event.name == "channel_vacated":
            left_behind = {user for channel, user in self.view if channel == event.channel and user}
            there = {user for channel, user in self.live if channel == event.channel and user}
            assert left_behind <= there, "the channel went before a member who has gone"

    def change(self, channel: str, user: str | None, is_there: bool, notice: WebhookNotice) -> None:
        if is_there:
            self.live.add((channel, user))
        elif (channel, user) in self.live:
            self.live.remove((channel, user))
            self.gone_since[channel, user] = self.clock.seconds()
        self.told.hear(notice)

    @rule(channel=st.sampled_from(CHANNELS))
    def occupied(self, channel: str) -> None:
        self.change(channel, None, True, ChannelOccupied("1", channel))

    @rule(channel=st.sampled_from(CHANNELS))
    def vacated(self, channel: str) -> None:
        self.change(channel, None, False, ChannelVacated("1", channel))

    @rule(channel=st.sampled_from(CHANNELS), user=st.sampled_from(USERS))
    def added(self, channel: str, user: str) -> None:
        self.change(channel, user, True, MemberAdded("1", channel, user))

    @rule(channel=st.sampled_from(CHANNELS), user=st.sampled_from(USERS))
    def removed(self, channel: str, user: str) -> None:
        self.change(channel, user, False, MemberRemoved("1", channel, user))

    @rule(channel=st.sampled_from(CHANNELS), away=st.sampled_from([0.0, 1.0, 2.999, 3.0, 4.0]))
    def reloads_the_page(self, channel: str, away: float) -> None:
        """As the relay says it: who leaves last takes the channel along."""
        self.occupied(channel)
        self.added(channel, "ada")
        self.removed(channel, "ada")
        self.vacated(channel)
        self.clock.advance(away)
        self.occupied(channel)
        self.added(channel, "ada")

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.999, 3.0, 3.001, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def whoever_is_there_is_known_and_no_one_gone_is_for_longer_than_the_grace(self) -> None:
        assert self.live <= self.view
        for channel, user in self.view - self.live:
            changes = [
                time
                for (name, member), time in self.gone_since.items()
                if name == channel and (user is None or member == user)
            ]
            assert self.clock.seconds() < max(changes) + GRACE + 1e-6

    def teardown(self) -> None:
        self.clock.advance(2 * GRACE)
        assert self.view == self.live
        assert self.clock.getDelayedCalls() == []


TestDebouncing = Debouncing.TestCase
