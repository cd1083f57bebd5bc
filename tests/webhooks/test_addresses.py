"""wsrelay.webhooks.addresses"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.properties  # noqa: F401  (how many examples)
from wsrelay.webhooks.addresses import refusal_of

REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.255", "loopback"),
    ("0.0.0.0", "unspecified"),
    ("0.0.0.1", "private"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("100.64.0.1", "shared"),
    ("100.127.255.255", "shared"),
    ("169.254.169.254", "link-local"),
    ("192.0.2.1", "private"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "private"),
    ("255.255.255.255", "private"),
]
ALLOWED = ["1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.169.0.1"]


@pytest.mark.parametrize(("address", "kind"), REFUSED)
def test_an_ipv4_address_that_is_not_public_is_refused(address: str, kind: str) -> None:
    assert refusal_of(address) == kind


@pytest.mark.parametrize(("address", "kind"), REFUSED)
@pytest.mark.parametrize("prefix", ["::ffff:", "64:ff9b::"])
def test_so_is_the_same_behind_ipv6(prefix: str, address: str, kind: str) -> None:
    assert refusal_of(prefix + address) == kind


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "private"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a00:1::1", "private"),
        ("::127.0.0.1", "reserved"),
    ],
)
def test_an_ipv6_address_that_is_not_public_is_refused(address: str, kind: str) -> None:
    assert refusal_of(address) == kind


@pytest.mark.parametrize("address", ALLOWED)
@pytest.mark.parametrize("prefix", ["", "::ffff:", "64:ff9b::"])
def test_a_public_address_may_be_connected_to(prefix: str, address: str) -> None:
    assert refusal_of(prefix + address) is None


@pytest.mark.parametrize("address", ["2606:4700:4700::1111", "2a00:1450::1", "2002:101:101::1"])
def test_so_may_a_public_ipv6_address(address: str) -> None:
    assert refusal_of(address) is None


@pytest.mark.parametrize("address", ["", "localhost", "127.1", "1.2.3.4.5", "127.0.0.1:80"])
def test_what_is_no_address_is_no_answer(address: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        refusal_of(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_the_one_it_stands_for(address: object) -> None:
    assert refusal_of(f"::ffff:{address}") == refusal_of(str(address))
