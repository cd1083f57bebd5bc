"""wsrelay.webhooks.messenger"""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.doubles import Tasks, an_app
from tests.webhooks.conftest import Log
from tests.webhooks.sending import Sending
from wsrelay.core.apps import App, Apps, Secret, Webhook
from wsrelay.core.notices import (
    CacheMissed,
    ChannelOccupied,
    ChannelVacated,
    ClientEventSent,
    ConnectionClosed,
    ConnectionDenied,
    ConnectionOpened,
    MemberAdded,
    MemberRemoved,
    SubscriptionCounted,
    SubscriptionDenied,
)
from wsrelay.webhooks import backlog as backlog_module
from wsrelay.webhooks import messenger as messenger_module
from wsrelay.webhooks.backlog import OVERHEAD, PostFailed
from wsrelay.webhooks.batch import WINDOW, Delivery
from wsrelay.webhooks.messenger import Messenger
from wsrelay.webhooks.target import Target
from wsrelay.webhooks.told import GRACE

HOOK = "https://example.com/hook"
NOW = 1767225600.123


class Posts:
    """A sender that keeps what it is given; it accepts everything, or leaves it under way."""

    def __init__(self) -> None:
        self.posted: list[tuple[Target, Delivery]] = []
        self.accepts = True
        self.under_way: list[Deferred[None]] = []
        self.is_closed = False

    async def post(self, target: Target, delivery: Delivery) -> None:
        self.posted.append((target, delivery))
        if not self.accepts:
            waiting: Deferred[None] = Deferred()
            self.under_way.append(waiting)
            await waiting

    async def close(self) -> None:
        self.is_closed = True
        for waiting in self.under_way:
            if not waiting.called:
                waiting.errback(PostFailed("could not be asked"))


class Backend:
    """A messenger with a clock that the test moves, and all that it posted."""

    def __init__(self, *apps: App) -> None:
        self.clock = Clock()
        self.posts = Posts()
        self.tasks = Tasks()
        self.messenger = Messenger(
            Apps(apps),
            self.posts,
            now=lambda: NOW + self.clock.seconds(),
            clock=self.clock.seconds,
            call_later=self.clock.callLater,
            spawn=self.tasks,
        )

    def heard(self) -> list[tuple[str, str]]:
        """Name and channel of every event since the last look."""
        bodies = [json.loads(delivery.body) for _, delivery in self.posts.posted]
        self.posts.posted.clear()
        return [(event["name"], event["channel"]) for body in bodies for event in body["events"]]

    def stop(self, seconds: float = 5.0) -> list[None]:
        """Whether stopping has come to its end: a list with an item as soon as it has."""
        ended: list[None] = []
        Deferred.fromCoroutine(self.messenger.stop(seconds)).addCallback(ended.append)
        return ended


def hooked(*webhooks: Webhook, **settings: Any) -> App:
    return an_app(webhooks=webhooks or (Webhook(url=HOOK),), **settings)


APP_ID = an_app().id
OCCUPIED, VACATED = ChannelOccupied(APP_ID, "presence-a"), ChannelVacated(APP_ID, "presence-a")
ADDED = MemberAdded(APP_ID, "presence-a", "ada")
ALL_KINDS = [
    OCCUPIED,
    ADDED,
    ClientEventSent(APP_ID, "presence-a", "client-x", "{}", "1.1", "ada"),
    CacheMissed(APP_ID, "cache-a"),
    SubscriptionCounted(APP_ID, "news", 2),
    MemberRemoved(APP_ID, "presence-a", "ada"),
    VACATED,
]


def test_all_seven_kinds_arrive_each_in_a_request_of_its_own() -> None:
    backend = Backend(hooked())
    for notice in ALL_KINDS:
        backend.messenger(notice)
    backend.clock.advance(GRACE)
    assert len(backend.posts.posted) == 7
    assert [json.loads(delivery.body) for _, delivery in backend.posts.posted][:3] == [
        {
            "time_ms": 1767225600123,
            "events": [{"name": "channel_occupied", "channel": "presence-a"}],
        },
        {
            "time_ms": 1767225600123,
            "events": [{"name": "member_added", "channel": "presence-a", "user_id": "ada"}],
        },
        {
            "time_ms": 1767225600123,
            "events": [
                {
                    "name": "client_event",
                    "channel": "presence-a",
                    "event": "client-x",
                    "data": "{}",
                    "socket_id": "1.1",
                    "user_id": "ada",
                }
            ],
        },
    ]
    assert backend.heard()[3:] == [
        ("cache_miss", "cache-a"),
        ("subscription_count", "news"),
        ("member_removed", "presence-a"),
        ("channel_vacated", "presence-a"),
    ]
    assert backend.tasks.failures == []


def test_batched_the_same_is_two_requests() -> None:
    backend = Backend(hooked(webhook_batching=True))
    for notice in ALL_KINDS:
        backend.messenger(notice)
    backend.clock.advance(WINDOW)
    backend.clock.advance(GRACE)
    backend.clock.advance(WINDOW)
    sizes = [len(json.loads(delivery.body)["events"]) for _, delivery in backend.posts.posted]
    assert sizes == [5, 2]


def test_filters_are_applied_before_signing_and_what_is_filtered_out_is_not_sent() -> None:
    secret = an_app().secret.reveal()
    backend = Backend(
        hooked(
            Webhook(url=HOOK, events=("member_added",)),
            Webhook(url=HOOK, channel_prefix="cache-", channel_suffix="a"),
            webhook_batching=True,
        )
    )
    for notice in ALL_KINDS:
        backend.messenger(notice)
    backend.clock.advance(GRACE + WINDOW)
    bodies = [delivery.body for _, delivery in backend.posts.posted]
    assert [json.loads(body)["events"] for body in bodies] == [
        [{"name": "member_added", "channel": "presence-a", "user_id": "ada"}],
        [{"name": "cache_miss", "channel": "cache-a"}],
    ]
    for _, delivery in backend.posts.posted:
        assert delivery.signature == hmac.new(secret, delivery.body, "sha256").hexdigest()


def test_nothing_is_remembered_of_what_nobody_wants_to_know() -> None:
    backend = Backend(hooked(Webhook(url=HOOK, events=("client_event",))), an_app(id="2", key="k2"))
    for notice in ALL_KINDS:
        backend.messenger(notice)
        backend.messenger(ChannelOccupied("2", "a"))
        backend.messenger(ChannelOccupied("no such app", "a"))
    assert backend.heard() == [("client_event", "presence-a")]
    assert not backend.messenger._told._present


def test_who_wants_to_know_only_who_leaves_is_told() -> None:
    backend = Backend(hooked(Webhook(url=HOOK, events=("channel_vacated",))))
    backend.messenger(OCCUPIED)
    backend.messenger(VACATED)
    backend.clock.advance(GRACE)
    assert backend.heard() == [("channel_vacated", "presence-a")]


def test_connections_are_no_business_of_webhooks() -> None:
    backend = Backend(hooked())
    for notice in (
        ConnectionOpened(APP_ID, "1.1", "192.0.2.1", "js"),
        ConnectionClosed(APP_ID, "1.1", "192.0.2.1", 1000, ""),
        ConnectionDenied("192.0.2.1", 4001, "no such app"),
        SubscriptionDenied(APP_ID, "1.1", "private-a", 401, "wrong"),
    ):
        backend.messenger(notice)
    assert backend.heard() == []


def test_apps_share_neither_batches_nor_secrets() -> None:
    other = an_app(
        id="2", key="k2", secret=Secret("s2"), webhooks=(Webhook(url=HOOK),), webhook_batching=True
    )
    backend = Backend(hooked(webhook_batching=True), other)
    backend.messenger(OCCUPIED)
    backend.messenger(ChannelOccupied("2", "presence-a"))
    backend.clock.advance(WINDOW)
    [(first, one), (second, two)] = backend.posts.posted
    assert (first.app.id, second.app.id) == (APP_ID, "2")
    assert one.body == two.body
    assert one.signature != two.signature
    assert two.signature == hmac.new(b"s2", two.body, "sha256").hexdigest()


def test_a_receiver_that_does_not_answer_delays_no_other() -> None:
    backend = Backend(hooked(Webhook(url="https://dead.example/"), Webhook(url=HOOK)))
    backend.posts.accepts = False
    for number in range(100):
        backend.messenger(ChannelOccupied(APP_ID, f"c{number}"))
        for target, waiting in zip(
            [target for target, _ in backend.posts.posted], backend.posts.under_way, strict=True
        ):
            if target.url == HOOK.encode() and not waiting.called:
                waiting.callback(None)
    to_the_living = [1 for target, _ in backend.posts.posted if target.url == HOOK.encode()]
    assert len(to_the_living) == 100
    assert len(backend.posts.posted) == 100 + backlog_module.AT_ONCE
    assert backend.messenger.tally.sent == 100
    assert backend.messenger.tally.queued == 100 - backlog_module.AT_ONCE


def test_when_too_much_waits_in_all_the_longest_backlog_loses_its_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(messenger_module, "MOST_BYTES_IN_ALL", 11 * (OVERHEAD + 100))
    backend = Backend(
        hooked(Webhook(url="https://dead.example/", channel_prefix="d"), Webhook(url=HOOK))
    )
    backend.posts.accepts = False
    for number in range(10 + backlog_module.AT_ONCE):
        backend.messenger(ChannelOccupied(APP_ID, f"e{number}"))
    assert backend.messenger.tally.dropped == 0
    assert backend.messenger.tally.queued == 10
    for number in range(2 + backlog_module.AT_ONCE):
        backend.messenger(ChannelOccupied(APP_ID, f"d{number}"))
    assert backend.messenger.tally.queued_bytes <= 11 * (OVERHEAD + 100)
    assert backend.messenger.tally.dropped > 0
    assert len(next(backend.messenger._everybody()).backlog) == 2 + backlog_module.AT_ONCE


def test_a_faulty_webhook_is_told_when_the_relay_is_made() -> None:
    with pytest.raises(ValueError, match=r"^webhook 2 of app 482931: url: "):
        Backend(hooked(Webhook(url=HOOK), Webhook(url="https://me:pw@example.com/")))


def test_stopping_tells_what_was_held_back_and_that_everybody_has_gone() -> None:
    backend = Backend(hooked(webhook_batching=True))
    for notice in (OCCUPIED, ADDED, VACATED, ChannelOccupied(APP_ID, "news")):
        backend.messenger(notice)
    ended = backend.stop()
    assert backend.heard() == [
        ("channel_occupied", "presence-a"),
        ("member_added", "presence-a"),
        ("channel_occupied", "news"),
        ("member_removed", "presence-a"),
        ("channel_vacated", "presence-a"),
        ("channel_vacated", "news"),
    ]
    assert ended == [None]
    assert backend.posts.is_closed
    assert backend.clock.getDelayedCalls() == []


def test_after_stopping_nothing_is_heard() -> None:
    backend = Backend(hooked())
    backend.stop()
    backend.messenger(OCCUPIED)
    assert backend.heard() == []
    assert backend.clock.getDelayedCalls() == []


def test_stopping_waits_for_what_is_under_way() -> None:
    backend = Backend(hooked())
    backend.posts.accepts = False
    backend.messenger(ChannelOccupied(APP_ID, "news"))
    ended = backend.stop()
    backend.posts.under_way[0].callback(None)  # channel_occupied
    assert ended == []
    assert not backend.posts.is_closed
    backend.posts.under_way[1].callback(None)  # channel_vacated
    assert ended == [None]
    assert backend.messenger.tally.sent == 2
    assert backend.clock.getDelayedCalls() == []


def test_stopping_waits_no_longer_than_it_may_and_counts_what_is_lost(log: Log) -> None:
    backend = Backend(hooked())
    backend.posts.accepts = False
    for number in range(10):
        backend.messenger(CacheMissed(APP_ID, f"cache-{number}"))
    ended = backend.stop(5.0)
    backend.clock.advance(4.999)
    assert ended == []
    backend.clock.advance(0.001)
    assert ended == [None]
    tally = backend.messenger.tally
    assert (tally.failed, tally.dropped) == (backlog_module.AT_ONCE, 10 - backlog_module.AT_ONCE)
    assert (tally.queued, tally.queued_bytes) == (0, 0)
    assert backend.clock.getDelayedCalls() == []
    assert log.lines()[-1] == (
        "webhook 1 of app 482931 (https://example.com) was in trouble for 0 s when the relay "
        "stopped; 4 given up, 6 dropped"
    )


class TestOverHTTP(Sending):
    """With the real sender and real receivers; only the pauses are the test's."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.tasks = Tasks()

    def messenger(self, *webhooks: Webhook, **settings: Any) -> Messenger:
        return Messenger(
            Apps([hooked(*webhooks, **settings)]),
            self.sender(),
            now=lambda: NOW + self.clock.seconds(),
            clock=self.clock.seconds,
            call_later=self.clock.callLater,
            spawn=self.tasks,
        )

    async def test_what_was_refused_is_sent_again_byte_for_byte(self) -> None:
        receiver = self.receiver()
        receiver.statuses = [500, 503]
        messenger = self.messenger(Webhook(url=receiver.url()))
        messenger(ADDED)
        await self.until(lambda: messenger.tally.retried == 1)
        self.clock.advance(1)
        await self.until(lambda: messenger.tally.retried == 2)
        self.clock.advance(1)
        assert len(receiver.requests) == 2
        self.clock.advance(1)
        await self.until(lambda: messenger.tally.sent == 1)
        assert len(receiver.requests) == 3
        assert len({request.body for request in receiver.requests}) == 1
        assert (
            len({request.headers[b"x-pusher-signature"][0] for request in receiver.requests}) == 1
        )
        assert json.loads(receiver.requests[2].body)["time_ms"] == 1767225600123

    async def test_a_channel_s_events_arrive_in_order_though_several_go_at_once(self) -> None:
        receiver = self.receiver()
        messenger = self.messenger(Webhook(url=receiver.url()))
        channels = [f"presence-{number}" for number in range(20)]
        users = [str(number) for number in range(5)]
        for channel in channels:
            messenger(ChannelOccupied(APP_ID, channel))
            for user in users:
                messenger(MemberAdded(APP_ID, channel, user))
        await receiver.when(len(channels) * (1 + len(users)))
        for channel in channels:
            events = [event for event in receiver.events() if event["channel"] == channel]
            assert [event.get("user_id") for event in events] == [None, *users]
        assert receiver.connections <= backlog_module.AT_ONCE

    async def test_a_hanging_receiver_delays_no_other(self) -> None:
        hanging, receiver = self.receiver(), self.receiver()
        hanging.hangs = True
        messenger = self.messenger(Webhook(url=hanging.url()), Webhook(url=receiver.url()))
        for number in range(50):
            messenger(ChannelOccupied(APP_ID, f"c{number}"))
        await receiver.when(50)
        await self.until(lambda: messenger.tally.sent == 50)
        assert len(hanging.requests) == backlog_module.AT_ONCE

    async def test_a_full_stop_hands_over_what_was_held_back(self) -> None:
        receiver = self.receiver()
        messenger = self.messenger(Webhook(url=receiver.url()), webhook_batching=True)
        for notice in (OCCUPIED, ADDED, MemberRemoved(APP_ID, "presence-a", "ada"), VACATED):
            messenger(notice)
        await messenger.stop(5.0)
        assert [event["name"] for event in receiver.events()] == [
            "channel_occupied",
            "member_added",
            "member_removed",
            "channel_vacated",
        ]
        assert self.clock.getDelayedCalls() == []
        assert self.tasks.failures == []


# -- other webhooks at a reload ----------------------------------------------------------------

NEW_HOOK = "https://example.com/new"


def reconfigure(backend: Backend, *apps: App) -> None:
    backend.messenger.prepare(apps)()


def urls(backend: Backend) -> list[str]:
    """Where everything since the last look went."""
    posted = [target.url.decode() for target, _ in backend.posts.posted]
    backend.posts.posted.clear()
    return posted


def test_a_new_webhook_hears_of_what_happens_from_then_on() -> None:
    backend = Backend(hooked())
    backend.messenger(OCCUPIED)
    reconfigure(backend, hooked(Webhook(url=HOOK), Webhook(url=NEW_HOOK)))
    assert urls(backend) == [HOOK]
    backend.messenger(ADDED)
    assert urls(backend) == [HOOK, NEW_HOOK]


def test_what_waits_for_a_webhook_that_stays_is_kept_with_its_pauses() -> None:
    backend = Backend(hooked())
    backend.posts.accepts = False
    backend.messenger(OCCUPIED)
    before = list(backend.messenger._everybody())
    reconfigure(backend, hooked(client_event_rate=3))
    assert list(backend.messenger._everybody()) == before
    assert backend.messenger._former == []


@pytest.mark.parametrize(
    "changed",
    [
        {"webhooks": (Webhook(url=NEW_HOOK),)},
        {"secret": Secret("new")},
        {"key": "new"},
        {"webhook_batching": True},
    ],
)
def test_for_one_that_changed_what_happened_before_goes_where_and_signed_as_it_was(
    changed: dict[str, Any],
) -> None:
    backend = Backend(hooked())
    backend.posts.accepts = False
    backend.messenger(OCCUPIED)
    [(target, delivery)] = backend.posts.posted
    reconfigure(backend, hooked(**changed) if "webhooks" not in changed else an_app(**changed))
    backend.posts.under_way[0].errback(PostFailed("refuses connections"))
    backend.clock.advance(1)
    assert backend.posts.posted == [(target, delivery)] * 2
    assert len(backend.messenger._former) == 1
    backend.posts.under_way[1].callback(None)
    assert backend.messenger._former == []
    backend.messenger(CacheMissed(APP_ID, "cache-a"))
    backend.clock.advance(WINDOW)
    told, newest = backend.posts.posted[-1]
    secret = changed.get("secret", an_app().secret).reveal()
    assert newest.signature == hmac.new(secret, newest.body, "sha256").hexdigest()
    assert told.app.key == changed.get("key", an_app().key)
    assert (told.url.decode() == NEW_HOOK) is ("webhooks" in changed)


def test_a_batch_that_is_gathered_is_sent_before_its_webhook_goes() -> None:
    backend = Backend(hooked(webhook_batching=True))
    backend.messenger(OCCUPIED)
    reconfigure(backend)
    assert backend.heard() == [("channel_occupied", "presence-a")]
    assert list(backend.messenger._everybody()) == []


def test_of_an_app_that_is_gone_nothing_more_is_told_also_not_what_was_held_back() -> None:
    backend = Backend(hooked())
    backend.messenger(OCCUPIED)
    backend.messenger(VACATED)
    backend.heard()
    reconfigure(backend)
    backend.clock.advance(GRACE + 1)
    assert backend.heard() == []
    reconfigure(backend, hooked())
    backend.messenger(OCCUPIED)
    assert backend.heard() == [("channel_occupied", "presence-a")], "it is news again"


def test_a_channel_that_was_not_wanted_for_a_while_is_news_again() -> None:
    backend = Backend(hooked())
    backend.messenger(OCCUPIED)
    backend.messenger(ADDED)
    reconfigure(backend, hooked(Webhook(url=HOOK, events=("member_added",))))
    backend.messenger(VACATED)
    reconfigure(backend, hooked())
    backend.heard()
    backend.messenger(OCCUPIED)
    backend.messenger(ADDED)
    assert backend.heard() == [("channel_occupied", "presence-a")], "the member was wanted always"


def test_a_faulty_webhook_is_refused_and_the_others_stay() -> None:
    backend = Backend(hooked())
    with pytest.raises(ValueError, match=r"webhook 1 of app .*: url: "):
        backend.messenger.prepare([hooked(Webhook(url="http://a:0/"))])
    backend.messenger(OCCUPIED)
    assert urls(backend) == [HOOK]


def test_what_waits_for_a_former_webhook_is_waited_for_at_the_end() -> None:
    backend = Backend(hooked())
    backend.posts.accepts = False
    backend.messenger(OCCUPIED)
    reconfigure(backend)
    ended = backend.stop()
    assert ended == []
    backend.posts.under_way[0].callback(None)
    assert ended == [None]
