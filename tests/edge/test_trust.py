"""wsrelay.edge.trust"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import address

import tests.properties  # noqa: F401  (how many examples)
from wsrelay.edge.trust import MOST_HOPS, Trusted, forwarded_for, host_of, name_of_peer

PROXY, CDN, ADA = "10.0.0.1:4711", "198.51.100.7", "203.0.113.9"
TRUSTED = Trusted(["10.0.0.0/8", "198.51.100.0/24", "fd00::/8"])


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("", PROXY),
        (ADA, ADA),
        (f" {ADA}\t", ADA),
        (f"192.0.2.66, {ADA}", ADA),  # what he says himself
        (f"{ADA}, {CDN}", ADA),
        (f"192.0.2.66, {ADA}, {CDN}, 10.9.9.9", ADA),
        (f"{CDN}, 10.9.9.9", CDN),  # nobody else: the outermost proxy asks
        (f"{ADA}:50412", f"{ADA}:50412"),
        ("2001:db8::9", "[2001:db8::9]"),
        ("[2001:db8::9]", "[2001:db8::9]"),
        ("[2001:DB8:0::9]:50412", "[2001:db8::9]:50412"),
        ("2001:db8::9, fd00::1", "[2001:db8::9]"),
        (f"::ffff:{ADA}", ADA),
        (f"{ADA}, ::ffff:10.1.1.1", ADA),
        # A proxy that says nothing that can be understood is all that is known.
        (f"{ADA}, unknown", PROXY),
        (f"{ADA}, _hidden, {CDN}", CDN),
        (f"{ADA},", PROXY),
        ("fe80::1%eth0", PROXY),
        (f"{ADA}\n", PROXY),
        ("203.0.113.999", PROXY),
        ("[203.0.113.9", PROXY),
    ],
)
def test_the_rightmost_who_is_not_trusted_is_the_client(forwarded: str, client: str) -> None:
    assert TRUSTED.client(PROXY, forwarded) == client


@pytest.mark.parametrize("peer", ["192.0.2.1:50412", "[2001:db8::1]:50412", "unix"])
def test_who_is_not_trusted_speaks_for_himself(peer: str) -> None:
    assert TRUSTED.client(peer, ADA) == peer
    assert Trusted([]).client(peer, ADA) == peer


@pytest.mark.parametrize(
    ("place", "peer"),
    [
        ("unix", "unix"),
        ("127.0.0.1", "127.0.0.1:1"),
        ("127.0.0.1", "[::ffff:127.0.0.1]:1"),
        ("::1", "[::1]:1"),
        ("fd00::/8", "[fd12:3456::1]:1"),
    ],
)
def test_a_proxy_may_be_anywhere(place: str, peer: str) -> None:
    assert Trusted([place]).client(peer, ADA) == ADA


def test_nobody_is_trusted_unless_named() -> None:
    assert not Trusted([])
    assert Trusted(["unix"])
    assert not Trusted(["127.0.0.1"]).holds("unix")


def test_a_row_of_proxies_is_believed_up_to_a_length() -> None:
    hops = [f"10.0.1.{number}" for number in range(100)]
    assert TRUSTED.client(PROXY, ", ".join([ADA, *hops])) == hops[-MOST_HOPS]


@given(st.text())
def test_whatever_is_said_the_client_is_an_address(forwarded: str) -> None:
    told = TRUSTED.client(PROXY, forwarded)
    assert told == PROXY or set(told) <= set("0123456789abcdef.:[]")


@given(st.text(), st.lists(st.ip_addresses(v=4).map(str), max_size=3))
def test_what_a_client_writes_does_not_change_who_he_is(said: str, proxies: list[str]) -> None:
    hops = [hop for hop in proxies if TRUSTED.holds(hop)]
    assert TRUSTED.client(PROXY, ", ".join([said, ADA, *hops])) == ADA


def test_all_headers_of_a_head_are_one_list() -> None:
    head = (
        b"GET /app/key HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n"
        b"X-Forwarded-For-Too: 192.0.2.9\r\nx-forwarded-for:192.0.2.3\r\n\r\n"
    )
    assert forwarded_for(head).replace(" ", "") == "192.0.2.1,192.0.2.2,192.0.2.3"
    assert forwarded_for(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == ""


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("192.0.2.1:1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("unix", "unix"),
    ],
)
def test_the_address_of_a_name_in_the_log(peer: str, host: str) -> None:
    assert host_of(peer) == host


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (address.IPv4Address("TCP", "192.0.2.1", 4711), "192.0.2.1:4711"),
        (address.IPv6Address("TCP", "2001:db8::1", 4711), "[2001:db8::1]:4711"),
        # As a socket for both kinds tells it, which is what listens on all interfaces.
        (address.IPv6Address("TCP", "::ffff:192.0.2.1", 4711), "192.0.2.1:4711"),
        (address.UNIXAddress(None), "unix"),
    ],
)
def test_a_peer_is_named_as_people_write_addresses(address: object, name: str) -> None:
    assert name_of_peer(address) == name
