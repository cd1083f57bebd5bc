"""wsrelay.cluster.redis.slots"""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from wsrelay.cluster.redis.names import Names
from wsrelay.cluster.redis.slots import FOLLOWING, SLOTS, SlotMap, owners, slot_of


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        (b"123456789", 0x31C3),  # the specification's own example
        (b"foo", 12182),
        (b"{user1000}.following", slot_of(b"user1000")),
        (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", slot_of(b"{bar")),
        (b"foo{bar}{zap}", slot_of(b"bar")),
        (b"", 0),
    ],
)
def test_a_key_is_in_the_slot_that_redis_says(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


@pytest.mark.parametrize("app_id", ["1001", "a:b", "a}b", "{a", "}", "ä"])
@pytest.mark.parametrize("channel", ["room", "#server-to-user-4@2;", "a=b,c.d"])
def test_all_keys_of_a_channel_are_in_one_slot(app_id: str, channel: str) -> None:
    names = Names("wsrelay")
    name = names.channel((app_id, channel))
    slots = {slot_of(name + end) for end in (b"", b"n", b"u", b"t", b"v", b"p", b"a")}
    assert slots == {slot_of(names.cached((app_id, channel)).encode())}
    assert names.key_of(names.registration((app_id, channel)).encode()) == (app_id, channel)


def test_the_map_is_read_from_the_reply() -> None:
    reply = [
        [0, 99, [b"10.0.0.1", 7000, b"id"], [b"10.0.0.2", 7000, b"replica"]],
        [100, SLOTS - 2, [b"", 7001, b"id"]],
    ]
    found = owners(reply, "asked")
    assert found[:100] == [("10.0.0.1", 7000)] * 100
    assert found[100:-1] == [("asked", 7001)] * (SLOTS - 101)
    assert found[-1] is None


def test_a_slot_that_has_moved_is_settled_when_everybody_had_time_to_follow() -> None:
    clock = Clock()
    slots = SlotMap(clock.seconds)
    here, there = ("a", 1), ("b", 2)
    assert not slots.is_whole
    assert slots.take([here] * SLOTS)
    assert slots.is_whole
    assert slots.is_settled("foo")  # where it was before is not known, so it has not moved
    assert not slots.take([here] * SLOTS)
    assert slots.take([there if slot == slot_of(b"foo") else here for slot in range(SLOTS)])
    assert (slots.owner("foo"), slots.owner(b"bar")) == (there, here)
    assert slots.masters == {here, there}
    assert (slots.is_settled("foo"), slots.is_settled("bar")) == (False, True)
    clock.advance(FOLLOWING)
    assert slots.is_settled("foo")
