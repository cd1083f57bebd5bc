"""wsrelay.core.channel"""

from __future__ import annotations

from tests.doubles import RecordingSubscriber
from wsrelay.core.channel import Channel
from wsrelay.core.frame import Frame

FRAME = Frame(b'{"event":"e"}')


def channel_of(*subscribers: RecordingSubscriber) -> Channel:
    channel = Channel("private-room")
    for subscriber in subscribers:
        channel.subscribers[subscriber.socket_id] = subscriber
    return channel


def test_every_subscriber_gets_the_very_same_frame() -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    assert channel_of(ada, bob).fan_out(FRAME) == 2
    assert ada.frames == bob.frames == [FRAME]


def test_the_excluded_subscriber_gets_nothing_and_is_not_counted() -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    assert channel_of(ada, bob).fan_out(FRAME, "1.1") == 1
    assert (ada.frames, bob.frames) == ([], [FRAME])


def test_excluding_somebody_who_is_not_subscribed_excludes_nobody() -> None:
    ada = RecordingSubscriber("1.1")
    assert channel_of(ada).fan_out(FRAME, "9.9") == 1
    assert channel_of(ada).fan_out(FRAME, "") == 1
    assert ada.frames == [FRAME, FRAME]


def test_nobody_hears_what_the_only_subscriber_says() -> None:
    ada = RecordingSubscriber("1.1")
    assert channel_of(ada).fan_out(FRAME, "1.1") == 0
    assert ada.frames == []


def test_a_channel_knows_what_its_name_promises() -> None:
    assert Channel("presence-room").kind.has_presence
    assert not Channel("room").kind.needs_auth
