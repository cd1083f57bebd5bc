"""wsrelay.core.visitors"""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from wsrelay.core import visitors as module
from wsrelay.core.errors import Code, ConnectionRefused
from wsrelay.core.visitors import Visitors

ADA, BOB = "192.0.2.1", "2001:db8::2"


def refusal(visitors: Visitors, address: str) -> ConnectionRefused:
    with pytest.raises(ConnectionRefused) as refused:
        visitors.arrive(address)
    return refused.value


def test_without_a_limit_everybody_may_come_and_nobody_is_remembered() -> None:
    visitors = Visitors(Clock().seconds)
    for _ in range(1000):
        visitors.arrive(ADA)
    assert len(visitors) == 0
    visitors.leave(ADA)


def test_an_address_may_have_so_many_connections_open_and_not_one_more() -> None:
    visitors = Visitors(Clock().seconds, most_open=2)
    visitors.arrive(ADA)
    visitors.arrive(ADA)
    refused = refusal(visitors, ADA)
    assert refused.code is Code.OVER_CAPACITY
    assert refused.message == (
        "your address has 2 connections open, its limit (max_connections_per_ip)"
    )
    visitors.arrive(BOB)
    visitors.leave(ADA)
    visitors.arrive(ADA)


def test_an_address_whose_last_connection_is_gone_is_forgotten() -> None:
    visitors = Visitors(Clock().seconds, most_open=2)
    visitors.arrive(ADA)
    visitors.arrive(ADA)
    visitors.leave(ADA)
    assert len(visitors) == 1
    visitors.leave(ADA)
    assert len(visitors) == 0


def test_an_address_may_come_so_often_a_second_and_not_once_more() -> None:
    clock = Clock()
    visitors = Visitors(clock.seconds, rate=2)
    visitors.arrive(ADA)
    visitors.arrive(ADA)
    assert refusal(visitors, ADA).message == (
        "more than 2 connections a second from your address (connection_rate_per_ip)"
    )
    visitors.arrive(BOB)
    clock.advance(0.5)
    visitors.arrive(ADA)


def test_who_paused_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 2)
    visitors = Visitors(Clock().seconds, rate=1)
    visitors.arrive(ADA)
    visitors.arrive(BOB)
    refusal(visitors, ADA)
    visitors.arrive("192.0.2.3")
    visitors.arrive(BOB)
    refusal(visitors, "192.0.2.3")


def test_a_new_limit_counts_those_who_are_there() -> None:
    visitors = Visitors(Clock().seconds)
    visitors.arrive(ADA)
    visitors.arrive(BOB)
    visitors.limit(1, 0, [ADA, BOB])
    assert "its limit" in refusal(visitors, ADA).message
    visitors.leave(BOB)
    visitors.arrive(BOB)
    visitors.limit(0, 0, [ADA, BOB])
    visitors.arrive(ADA)
    assert len(visitors) == 0


def test_of_ipv6_a_network_of_64_bits_counts_as_one() -> None:
    visitors = Visitors(Clock().seconds, most_open=2)
    visitors.arrive("2001:db8:0:1::1")
    visitors.arrive("2001:db8:0:1:ffff::2")
    refusal(visitors, "2001:db8:0:1:1:2:3:4")
    visitors.arrive("2001:db8:0:2::1")
    visitors.leave("2001:0db8:0000:0001::1")
    visitors.arrive("2001:db8:0:1::3")
    visitors.limit(1, 0, ["2001:db8:0:1::3", "2001:db8:0:2::1"])
    refusal(visitors, "2001:db8:0:1::7")


def test_an_ipv4_address_is_the_same_in_ipv6s_clothes() -> None:
    visitors = Visitors(Clock().seconds, most_open=1)
    visitors.arrive(f"::ffff:{ADA}")
    refusal(visitors, ADA)
    visitors.arrive("::ffff:192.0.2.2")


def test_an_address_that_is_none_is_taken_as_it_is_written() -> None:
    visitors = Visitors(Clock().seconds, most_open=1)
    visitors.arrive("not:an:address")
    refusal(visitors, "not:an:address")
