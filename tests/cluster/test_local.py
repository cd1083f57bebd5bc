"""wsrelay.cluster.local"""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from tests.doubles import Notices, drive
from wsrelay.cluster.local import LocalBus, LocalCensus, LocalPresence
from wsrelay.core.cache import Cached, Memory
from wsrelay.core.frame import Frame
from wsrelay.core.hub import Hub
from wsrelay.core.notices import ChannelOccupied, MemberAdded
from wsrelay.core.publication import Publication
from wsrelay.core.roster import Departure, Member, RosterFull

ADA, BOB = Member("ada", b'{"n":1}'), Member("bob")


def alone(*observers: Notices) -> LocalPresence:
    notices = observers[0] if observers else Notices()
    return LocalPresence(notices, LocalCensus(Hub(), notices))


def join(presence: LocalPresence, socket_id: str, member: Member, most: int = 100) -> bool:
    return drive(presence.join("a", "presence-room", socket_id, member, most)).is_new_user


def leave(presence: LocalPresence, socket_id: str) -> Departure:
    return drive(presence.leave("a", "presence-room", socket_id))


def members(presence: LocalPresence, app_id: str = "a", name: str = "presence-room") -> list[str]:
    found = drive(presence.members(app_id, name))
    assert drive(presence.user_count(app_id, name)) == len(found)
    return [member.user_id for member in found]


def test_one_node_alone_never_waits_for_its_bus() -> None:
    cache = Memory(Clock().seconds, most_bytes=100)
    bus = LocalBus(cache)
    publication = Publication("a", "room", Frame(b"{}"))
    drive(bus.attend("a", "room"))
    drive(bus.carry_surely([publication, Publication("a", "cache-room", Frame(b"[]"))], 60))
    assert drive(cache.get("a", "room")) is None
    assert drive(cache.get("a", "cache-room")) == Cached(b"[]", 60)
    drive(bus.terminate("a", "42"))
    bus.carry(publication)
    bus.forget("a", "room")


def test_users_join_and_leave_a_channel() -> None:
    presence = alone()
    assert join(presence, "1.1", ADA)
    assert join(presence, "2.2", BOB)
    assert not join(presence, "3.3", ADA)
    assert members(presence) == ["ada", "bob"]
    assert leave(presence, "1.1") == Departure(gone=None)
    assert leave(presence, "3.3") == Departure(gone="ada")
    assert members(presence) == ["bob"]


def test_channels_and_apps_have_rosters_of_their_own() -> None:
    presence = alone()
    join(presence, "1.1", ADA)
    assert members(presence, name="presence-hall") == []
    assert members(presence, app_id="b") == []
    drive(presence.join("b", "presence-room", "1.1", BOB, 100))
    assert members(presence) == ["ada"]
    assert members(presence, app_id="b") == ["bob"]


def test_no_roster_is_kept_of_a_channel_that_nobody_is_in() -> None:
    presence = alone()
    join(presence, "1.1", ADA)
    leave(presence, "1.1")
    with pytest.raises(RosterFull):
        join(presence, "1.1", ADA, most=0)
    members(presence)
    assert presence._rosters == {}


def test_a_channel_that_is_full_stays_as_it_was() -> None:
    presence = alone()
    join(presence, "1.1", ADA, most=1)
    with pytest.raises(RosterFull):
        join(presence, "2.2", BOB, most=1)
    assert not join(presence, "3.3", ADA, most=1)
    assert members(presence) == ["ada"]


def test_leaving_a_channel_that_nobody_is_in_is_nothing() -> None:
    presence = alone()
    assert leave(presence, "1.1") == Departure(gone=None)
    join(presence, "1.1", ADA)
    assert leave(presence, "9.9") == Departure(gone=None)
    assert members(presence) == ["ada"]


def test_a_channel_is_told_of_before_its_first_member() -> None:
    notices = Notices()
    presence = alone(notices)
    join(presence, "1.1", ADA)
    join(presence, "2.2", BOB)
    assert notices == [
        ChannelOccupied("a", "presence-room"),
        MemberAdded("a", "presence-room", "ada"),
        MemberAdded("a", "presence-room", "bob"),
    ]
