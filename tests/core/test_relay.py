"""wsrelay.core.relay"""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.doubles import Gate, Notices, RecordingBus, RecordingSubscriber, drive
from wsrelay.cluster.local import LocalCensus, LocalPresence
from wsrelay.core.cache import Cached, Memory
from wsrelay.core.errors import PublishRefused
from wsrelay.core.frame import Frame
from wsrelay.core.hub import Hub
from wsrelay.core.notices import (
    ChannelOccupied,
    ChannelVacated,
    MemberAdded,
    MemberRemoved,
    Tally,
)
from wsrelay.core.publication import Publication
from wsrelay.core.relay import Relay
from wsrelay.core.roster import Arrival, Departure, Member, RosterFull

ADA, BOB = Member("ada", b'{"n":1}'), Member("bob", b'{"n":2}')
FRAME = Frame(b'{"event":"e"}')


class PlainWording:
    """Announcements in as few words as can be."""

    def member_added(self, channel: str, member: Member) -> Frame:
        return Frame(json.dumps({"added": member.user_id, "channel": channel}).encode())

    def member_removed(self, channel: str, user_id: str) -> Frame:
        return Frame(json.dumps({"removed": user_id, "channel": channel}).encode())

    def watchlist_events(self, online: Iterable[str], offline: Iterable[str]) -> Frame:
        raise AssertionError("not the relay's to say")


class GatedPresence(LocalPresence):
    """Joins stand at a gate first, as if another node had to be asked."""

    def __init__(self) -> None:
        super().__init__(Notices(), LocalCensus(Hub(), Notices()))
        self.gate = Gate()
        self.leaving: Gate | None = None

    async def leave(self, app_id: str, channel: str, socket_id: str) -> Departure:
        if self.leaving is not None:
            await self.leaving.passage()
        return await super().leave(app_id, channel, socket_id)

    async def join(
        self, app_id: str, channel: str, socket_id: str, member: Member, most: int
    ) -> Arrival:
        await self.gate.passage()
        return await super().join(app_id, channel, socket_id, member, most)


class Hall:
    """A relay, with everything around it in reach of the test."""

    def __init__(self, presence: LocalPresence | None = None) -> None:
        self.hub, self.notices, self.tally = Hub(), Notices(), Tally()
        census = LocalCensus(self.hub, self.notices)
        self.presence = presence or LocalPresence(self.notices, census)
        self.clock = Clock()
        self.cache = Memory(self.clock.seconds, most_bytes=1000)
        self.bus = RecordingBus(self.cache)
        self.relay = Relay(
            hub=self.hub,
            bus=self.bus,
            presence=self.presence,
            census=census,
            cache=self.cache,
            wording=PlainWording(),
            tally=self.tally,
        )

    def subscribe(
        self, name: str, who: RecordingSubscriber, member: Member | None = None, most: int = 100
    ) -> tuple[Member, ...]:
        return drive(self.relay.subscribe("a", name, who, member, most)).members

    def unsubscribe(self, name: str, who: RecordingSubscriber) -> None:
        channel = self.hub.channel("a", name)
        assert channel is not None
        drive(self.relay.unsubscribe("a", channel, who.socket_id))

    def user_count(self, name: str) -> int:
        return drive(self.presence.user_count("a", name))


@pytest.fixture
def hall() -> Hall:
    return Hall()


# -- publishing --------------------------------------------------------------------------------


def test_a_publication_goes_to_this_nodes_subscribers_and_once_to_the_bus(hall: Hall) -> None:
    ada = RecordingSubscriber("1.1")
    hall.subscribe("room", ada)
    publication = Publication("a", "room", FRAME)
    hall.relay.publish(publication)
    assert ada.frames == [FRAME]
    assert hall.bus.carried == [publication]
    assert (hall.tally.publications, hall.tally.deliveries) == (1, 1)


def test_what_nobody_hears_here_is_carried_all_the_same(hall: Hall) -> None:
    hall.relay.publish(Publication("a", "room", FRAME))
    assert len(hall.bus.carried) == 1
    assert (hall.tally.publications, hall.tally.deliveries) == (1, 0)


def test_publications_are_counted_by_how_many_they_reach(hall: Hall) -> None:
    for number in range(9):
        hall.relay.publish(Publication("a", "room", FRAME))
        hall.subscribe("room", RecordingSubscriber(f"{number}.1"))
    # None, one, 2 and 3, 4 to 7, 8.
    assert hall.tally.fan_outs[:6] == [1, 1, 2, 4, 1, 0]
    assert hall.tally.publications == 9
    assert hall.tally.deliveries == sum(range(9))


def test_publishing_surely_carries_and_delivers_every_publication(hall: Hall) -> None:
    ada = RecordingSubscriber("1.1")
    hall.subscribe("room", ada)
    hall.subscribe("hall", ada)
    publications = [Publication("a", name, FRAME) for name in ("room", "hall")]
    drive(hall.relay.publish_surely(publications, cache_seconds=60))
    assert hall.bus.carried == publications
    assert len(ada.frames) == 2


def test_nothing_is_delivered_when_other_nodes_cannot_be_reached(hall: Hall) -> None:
    ada = RecordingSubscriber("1.1")
    hall.subscribe("cache-room", ada)
    hall.bus.is_reachable = False
    with pytest.raises(PublishRefused) as raised:
        drive(hall.relay.publish_surely([Publication("a", "cache-room", FRAME)], 60))
    assert raised.value.status == 503
    assert ada.frames == []
    assert hall.tally.publications == 0
    assert drive(hall.relay.cache.get("a", "cache-room")) is None


# -- cache channels ----------------------------------------------------------------------------


def cached(hall: Hall, name: str) -> bytes | None:
    return drive(hall.relay.subscribe("a", name, RecordingSubscriber())).cached


@pytest.mark.parametrize("name", ["cache-room", "private-cache-room", "private-encrypted-cache-a"])
def test_a_cache_channel_hands_its_last_event_to_who_comes_later(hall: Hall, name: str) -> None:
    older, newer = Frame(b'{"event":"older"}'), Frame(b'{"event":"newer"}')
    drive(hall.relay.publish_surely([Publication("a", name, older)], 60))
    drive(hall.relay.publish_surely([Publication("a", name, newer, "1.1")], 60))
    assert cached(hall, name) == newer.payload


def test_a_presence_cache_channel_hands_over_its_members_and_its_last_event(hall: Hall) -> None:
    name = "presence-cache-room"
    drive(hall.relay.publish_surely([Publication("a", name, FRAME)], 60))
    joined = drive(hall.relay.subscribe("a", name, RecordingSubscriber(), ADA, 9))
    assert (joined.members, joined.cached) == ((ADA,), FRAME.payload)


def test_a_cache_channel_forgets_its_event_when_its_time_is_over(hall: Hall) -> None:
    drive(hall.relay.publish_surely([Publication("a", "cache-room", FRAME)], 60))
    hall.clock.advance(60)
    assert cached(hall, "cache-room") is None


def test_other_channels_remember_nothing(hall: Hall) -> None:
    drive(hall.relay.publish_surely([Publication("a", "room", FRAME)], 60))
    assert cached(hall, "room") is None


def test_what_clients_and_the_relay_itself_say_is_not_remembered(hall: Hall) -> None:
    hall.relay.publish(Publication("a", "private-cache-room", FRAME))
    assert cached(hall, "private-cache-room") is None


# -- coming and going without presence ---------------------------------------------------------


def test_the_bus_is_told_of_the_first_subscriber_and_of_the_last(hall: Hall) -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    hall.subscribe("room", ada)
    hall.subscribe("room", bob)
    hall.unsubscribe("room", ada)
    hall.unsubscribe("room", bob)
    assert hall.bus.calls == [("attend", "room"), ("forget", "room")]


def test_a_channel_is_occupied_once_and_vacated_once(hall: Hall) -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    hall.subscribe("room", ada)
    hall.subscribe("room", bob)
    hall.unsubscribe("room", ada)
    assert hall.notices == [ChannelOccupied("a", "room")]
    hall.unsubscribe("room", bob)
    assert hall.notices == [ChannelOccupied("a", "room"), ChannelVacated("a", "room")]


def test_nobody_is_announced_on_a_channel_without_presence(hall: Hall) -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    assert hall.subscribe("private-room", ada) == ()
    hall.subscribe("private-room", bob)
    hall.unsubscribe("private-room", bob)
    assert ada.frames == bob.frames == []


@pytest.mark.parametrize("name", ["#server-to-user-42", "#watchlist-42"])
def test_channels_of_the_relay_itself_are_occupied_and_vacated_silently(
    hall: Hall, name: str
) -> None:
    ada = RecordingSubscriber()
    hall.subscribe(name, ada)
    hall.unsubscribe(name, ada)
    assert hall.notices == []
    assert hall.bus.calls == [("attend", name), ("forget", name)]


def test_what_backends_ask_is_answered_without_the_relays_own_channels(hall: Hall) -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    for name in ("room", "private-room", "#server-to-user-42", "#watchlist-42"):
        hall.subscribe(name, ada)
    hall.subscribe("room", bob)
    assert drive(hall.relay.occupied_channels("a", "")) == ["room", "private-room"]
    assert drive(hall.relay.occupied_channels("a", "private-")) == ["private-room"]
    assert drive(hall.relay.occupied_channels("b", "")) == []
    assert drive(hall.relay.subscription_count("a", "room")) == 2
    assert drive(hall.relay.subscription_count("b", "room")) == 0


# -- presence ----------------------------------------------------------------------------------


def test_a_new_user_is_announced_to_everybody_else_here_and_elsewhere(hall: Hall) -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    assert hall.subscribe("presence-room", ada, ADA) == (ADA,)
    assert hall.subscribe("presence-room", bob, BOB) == (ADA, BOB)
    assert ada.heard == [{"added": "bob", "channel": "presence-room"}]
    assert bob.heard == []
    assert [p.excluded_socket_id for p in hall.bus.carried] == ["1.1", "2.2"]
    assert hall.notices.of(MemberAdded) == [
        MemberAdded("a", "presence-room", "ada"),
        MemberAdded("a", "presence-room", "bob"),
    ]


def test_a_second_tab_is_told_who_is_in_and_announced_to_nobody(hall: Hall) -> None:
    ada, tab = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    hall.subscribe("presence-room", ada, ADA)
    assert hall.subscribe("presence-room", tab, ADA) == (ADA,)
    hall.unsubscribe("presence-room", ada)
    assert ada.frames == tab.frames == []
    assert len(hall.bus.carried) == len(hall.notices.of(MemberAdded)) == 1
    assert hall.notices.of(MemberRemoved) == []


def test_a_user_who_left_with_his_last_tab_is_announced_to_those_who_remain(hall: Hall) -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    hall.subscribe("presence-room", ada, ADA)
    hall.subscribe("presence-room", bob, BOB)
    hall.unsubscribe("presence-room", bob)
    assert ada.heard[1:] == [{"removed": "bob", "channel": "presence-room"}]
    assert bob.heard == []
    assert hall.notices.of(MemberRemoved) == [MemberRemoved("a", "presence-room", "bob")]
    assert hall.user_count("presence-room") == 1


def test_the_last_member_is_removed_before_the_channel_is_vacated(hall: Hall) -> None:
    ada = RecordingSubscriber("1.1")
    hall.subscribe("presence-room", ada, ADA)
    hall.unsubscribe("presence-room", ada)
    assert hall.notices[2:] == [
        MemberRemoved("a", "presence-room", "ada"),
        ChannelVacated("a", "presence-room"),
    ]


def test_a_full_channel_admits_nobody_new_and_keeps_nothing_of_him(hall: Hall) -> None:
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    hall.subscribe("presence-room", ada, ADA, most=1)
    with pytest.raises(RosterFull):
        hall.subscribe("presence-room", bob, BOB, most=1)
    assert hall.hub.subscription_count("a", "presence-room") == 1
    assert hall.user_count("presence-room") == 1
    assert hall.bus.calls == [("attend", "presence-room")]
    assert ada.frames == bob.frames == []


def test_a_channel_whose_first_join_failed_is_wanted_no_more(hall: Hall) -> None:
    with pytest.raises(RosterFull):
        hall.subscribe("presence-room", RecordingSubscriber(), ADA, most=0)
    assert hall.bus.calls == [("attend", "presence-room"), ("forget", "presence-room")]
    assert len(hall.hub) == 0
    assert hall.notices == []


# -- while others are asked --------------------------------------------------------------------


def test_a_join_that_waits_keeps_the_channel_wanted_when_its_last_subscriber_leaves() -> None:
    presence = GatedPresence()
    hall = Hall(presence)
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    Deferred.fromCoroutine(hall.relay.subscribe("a", "presence-room", ada, ADA, 9))
    presence.gate.open()
    Deferred.fromCoroutine(hall.relay.subscribe("a", "presence-room", bob, BOB, 9))
    hall.unsubscribe("presence-room", ada)
    presence.gate.open()
    assert hall.hub.subscription_count("a", "presence-room") == 1
    assert hall.bus.wanted == {("a", "presence-room")}
    hall.unsubscribe("presence-room", bob)
    assert hall.bus.wanted == set()


def test_a_join_that_waits_keeps_the_channel_wanted_when_another_join_fails() -> None:
    presence = GatedPresence()
    hall = Hall(presence)
    Deferred.fromCoroutine(
        hall.relay.subscribe("a", "presence-room", RecordingSubscriber("1.1"), ADA, 9)
    )
    failing = Deferred.fromCoroutine(
        hall.relay.subscribe("a", "presence-room", RecordingSubscriber("2.2"), BOB, 0)
    )
    failed = failing.addErrback(lambda failure: failure.check(RosterFull))
    presence.gate.let_pass(1)
    assert failed.result is RosterFull
    presence.gate.open()
    assert hall.bus.wanted == {("a", "presence-room")}


def test_a_subscription_that_waits_for_the_bus_keeps_the_channel_wanted() -> None:
    hall = Hall()
    hall.bus.gate = Gate()
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    Deferred.fromCoroutine(hall.relay.subscribe("a", "room", ada))
    Deferred.fromCoroutine(hall.relay.subscribe("a", "room", bob))
    hall.bus.gate.let_pass(0)
    hall.unsubscribe("room", ada)
    assert hall.bus.wanted == {("a", "room")}
    hall.bus.gate.open()
    hall.unsubscribe("room", bob)
    assert hall.bus.wanted == set()


def test_nothing_is_remembered_of_joins_that_were_decided() -> None:
    presence = GatedPresence()
    hall = Hall(presence)
    outcomes = [
        Deferred.fromCoroutine(
            hall.relay.subscribe("a", "presence-room", RecordingSubscriber(socket_id), member, 1)
        ).addErrback(lambda failure: failure.check(RosterFull))
        for socket_id, member in (("1.1", ADA), ("2.2", BOB), ("3.3", ADA))
    ]
    presence.gate.open()
    assert outcomes[1].result is RosterFull
    assert hall.relay._joining == {}


def test_who_comes_while_the_last_one_leaves_keeps_the_channel_occupied() -> None:
    presence = GatedPresence()
    hall = Hall(presence)
    ada, bob = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    Deferred.fromCoroutine(hall.relay.subscribe("a", "presence-room", ada, ADA, 9))
    presence.gate.open()
    channel = hall.hub.channel("a", "presence-room")
    assert channel is not None
    presence.leaving = Gate()
    leaving = Deferred.fromCoroutine(hall.relay.unsubscribe("a", channel, "1.1"))
    Deferred.fromCoroutine(hall.relay.subscribe("a", "presence-room", bob, BOB, 9))
    presence.gate.open()
    presence.leaving.open()
    assert leaving.called
    assert hall.notices.of(ChannelVacated) == []


class AskedCache(Memory):
    """A cache behind a gate."""

    gate: Gate

    async def get(self, app_id: str, channel: str) -> Cached | None:
        remembered = await super().get(app_id, channel)
        await self.gate.passage()
        if self.is_broken:
            raise OSError("lost")
        return remembered

    is_broken = False


def asked(hall: Hall) -> AskedCache:
    cache = AskedCache(hall.clock.seconds, most_bytes=1000)
    cache.gate = Gate()
    hall.relay.cache = hall.bus.cache = cache
    return cache


def test_what_is_said_while_a_cache_channel_is_asked_is_not_lost(hall: Hall) -> None:
    cache, ada = asked(hall), RecordingSubscriber("1.1")
    joining = Deferred.fromCoroutine(hall.relay.subscribe("a", "cache-room", ada))
    said = Publication("a", "cache-room", FRAME)
    drive(hall.relay.publish_surely([said], 60))
    cache.gate.open()
    joined = joining.result
    assert (joined.cached, joined.meanwhile) == (None, (FRAME,))
    assert ada.frames == []
    hall.relay.publish(said)
    assert ada.frames == [FRAME]


def test_what_a_cache_channel_remembers_comes_at_its_place_and_once(hall: Hall) -> None:
    cache, ada = asked(hall), RecordingSubscriber("1.1")
    old, new = Frame(b'{"event":"old"}'), Frame(b'{"event":"new"}')
    drive(hall.relay.publish_surely([Publication("a", "cache-room", old)], 60))
    joining = Deferred.fromCoroutine(hall.relay.subscribe("a", "cache-room", ada))
    hall.relay.publish(Publication("a", "cache-room", new))
    cache.gate.open()
    assert (joining.result.cached, joining.result.meanwhile) == (old.payload, (new,))
    again = Deferred.fromCoroutine(
        hall.relay.subscribe("a", "cache-room", RecordingSubscriber("2.2"))
    )
    hall.relay.publish(Publication("a", "cache-room", Frame(old.payload)))
    cache.gate.open()
    assert again.result.cached is None
    assert [frame.payload for frame in again.result.meanwhile] == [old.payload]


def test_a_cache_that_fails_leaves_no_subscriber_behind(hall: Hall) -> None:
    cache = asked(hall)
    cache.is_broken = True
    joining = Deferred.fromCoroutine(
        hall.relay.subscribe("a", "cache-room", RecordingSubscriber("1.1"))
    ).addErrback(lambda failure: failure.check(OSError))
    cache.gate.open()
    assert joining.result is OSError
    assert len(hall.hub) == 0
    assert hall.bus.wanted == set()
