"""wsrelay.core.hub"""

from __future__ import annotations

from tests.doubles import RecordingSubscriber
from wsrelay.core.frame import Frame
from wsrelay.core.hub import Hub
from wsrelay.core.publication import Publication

FRAME = Frame(b'{"event":"e"}')


def test_the_first_subscriber_makes_the_channel_and_the_last_one_ends_it() -> None:
    hub = Hub()
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    channel = hub.subscribe("a", "room", ada)
    assert hub.subscribe("a", "room", bob) is channel
    assert not hub.unsubscribe("a", "room", "1.1")
    assert hub.channel("a", "room") is channel
    assert hub.unsubscribe("a", "room", "2.2")
    assert hub.channel("a", "room") is None


def test_nothing_is_kept_of_an_app_that_nobody_uses() -> None:
    hub = Hub()
    hub.subscribe("a", "room", RecordingSubscriber("1.1"))
    hub.subscribe("a", "hall", RecordingSubscriber("1.1"))
    assert len(hub) == 2
    hub.unsubscribe("a", "room", "1.1")
    assert [channel.name for channel in hub.channels("a")] == ["hall"]
    hub.unsubscribe("a", "hall", "1.1")
    assert len(hub) == 0
    assert hub._apps == {}


def test_subscribing_twice_is_subscribing_once() -> None:
    hub = Hub()
    ada = RecordingSubscriber("1.1")
    hub.subscribe("a", "room", ada)
    hub.subscribe("a", "room", ada)
    assert hub.subscription_count("a", "room") == 1
    assert hub.deliver(Publication("a", "room", FRAME)) == 1
    assert hub.unsubscribe("a", "room", "1.1")


def test_leaving_what_was_never_joined_is_nothing() -> None:
    hub = Hub()
    assert not hub.unsubscribe("a", "room", "1.1")
    hub.subscribe("a", "room", RecordingSubscriber("1.1"))
    assert not hub.unsubscribe("a", "room", "9.9")
    assert not hub.unsubscribe("a", "hall", "1.1")
    assert not hub.unsubscribe("b", "room", "1.1")
    assert hub.subscription_count("a", "room") == 1


def test_apps_that_name_their_channels_alike_share_nothing() -> None:
    hub = Hub()
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    hub.subscribe("a", "room", ada)
    hub.subscribe("b", "room", bob)
    assert hub.deliver(Publication("a", "room", FRAME)) == 1
    assert (len(ada.frames), len(bob.frames)) == (1, 0)


def test_a_publication_reaches_the_subscribers_of_its_channel_only() -> None:
    hub = Hub()
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    hub.subscribe("a", "room", ada)
    hub.subscribe("a", "hall", bob)
    assert hub.deliver(Publication("a", "room", FRAME)) == 1
    assert (len(ada.frames), len(bob.frames)) == (1, 0)


def test_the_excluded_connection_is_left_out() -> None:
    hub = Hub()
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    hub.subscribe("a", "room", ada)
    hub.subscribe("a", "room", bob)
    assert hub.deliver(Publication("a", "room", FRAME, "1.1")) == 1
    assert (len(ada.frames), len(bob.frames)) == (0, 1)


def test_publishing_to_nobody_reaches_nobody_and_leaves_no_trace() -> None:
    hub = Hub()
    assert hub.deliver(Publication("a", "room", FRAME)) == 0
    hub.subscribe("a", "hall", RecordingSubscriber())
    assert hub.deliver(Publication("a", "room", FRAME)) == 0
    assert len(hub) == 1


def test_counting_a_channel_that_is_not_there_gives_none_and_leaves_no_trace() -> None:
    hub = Hub()
    assert hub.subscription_count("a", "room") == 0
    assert list(hub.channels("a")) == []
    assert hub._apps == {}


def test_channels_are_counted_by_app_and_by_kind() -> None:
    hub = Hub()
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    for app_id, name in (("a", "room"), ("a", "private-room"), ("b", "private-room")):
        hub.subscribe(app_id, name, ada)
        hub.subscribe(app_id, name, bob)
    assert dict(hub.by_app()) == {"a": 2, "b": 1}
    assert {prefix: count for prefix, count in hub.of_kind.items() if count} == {
        "": 1,
        "private-": 2,
    }
    for who in (ada, bob, bob):
        hub.unsubscribe("a", "private-room", who.socket_id)
    assert hub.of_kind["private-"] == 1
