"""wsrelay.edge.proxy_header"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.properties  # noqa: F401  (how many examples)
from tests.edge.headers import LOCAL, V2, tlv, v1, v2
from wsrelay.edge.proxy_header import Header, Malformed, Source, take_header

ADA, BOB = "203.0.113.7", "2001:db8::7"

addresses = st.ip_addresses().map(str)
ports = st.integers(0, 65535)
tlvs = st.lists(st.builds(tlv, st.integers(0, 255), st.binary(max_size=300)), max_size=3)
headers = (
    st.builds(v1, addresses, ports)
    | st.builds(v2, addresses, ports, tlvs.map(b"".join))
    | st.sampled_from([LOCAL, b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 any thing 1 2\r\n"])
)


def header_of(host: str, port: int, data: bytes) -> Header:
    return Header(Source(ip_address(host), port), len(data))


@pytest.mark.parametrize("written", [v1, v2])
@given(host=addresses, port=ports, rest=st.binary(max_size=40))
def test_it_tells_the_address_and_where_the_client_begins(
    written: object, host: str, port: int, rest: bytes
) -> None:
    assert callable(written)
    data = written(host, port)
    assert take_header(data + rest) == header_of(host, port, data)


@given(headers)
def test_it_may_be_cut_anywhere(data: bytes) -> None:
    for cut in range(len(data)):
        assert take_header(data[:cut]) is None, cut
    assert take_header(data) is not None


@given(st.binary(max_size=300))
def test_whatever_comes_it_is_a_header_or_too_little_or_malformed(data: bytes) -> None:
    for start in (b"", b"PROXY ", b"PROXY TCP4 ", V2, V2 + b"\x21"):
        try:
            header = take_header(start + data)
        except Malformed:
            continue
        assert header is None or 0 < header.length <= len(start + data)


@given(headers, st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_never_does_worse_than_be_refused(data: bytes, at: int, byte: int) -> None:
    at %= len(data)
    with suppress(Malformed):
        take_header(data[:at] + bytes([byte]) + data[at + 1 :])


def test_what_follows_the_addresses_of_version_2_is_passed_over() -> None:
    data = v2(ADA, 1, tlv(0x01, b"http/1.1") + tlv(0x02, b"relay.example") + tlv(0x04, bytes(2000)))
    assert take_header(data + b"GET /") == header_of(ADA, 1, data)


@pytest.mark.parametrize(
    "data",
    [
        LOCAL,
        V2 + b"\x20\x11\x00\x0c" + bytes(12),  # LOCAL: whatever addresses it names
        V2 + b"\x21\x00\x00\x03" + b"\x04\0\0",  # from nobody knows where
        V2 + b"\x21\x31\x00\xd8" + bytes(216),  # from a Unix socket
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
    ],
)
def test_a_proxy_may_speak_for_itself(data: bytes) -> None:
    assert take_header(data + b"GET /up") == Header(None, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"GET /app/key HTTP/1.1\r\n",
        b"G",
        b"\x16\x03\x01\x02\x00",
        b"PROXX",
        b"PROXY TCP4\r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 " + b"1" * 40 + b" 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.256 1 2\r\n",
        b"PROXY TCP4 192.0.2.1\n 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 fe80::1%anything fe80::2 1 2\r\n",
        b"PROXY TCP4 \xff 192.0.2.2 1 2\r\n",
        b"PROXY UNKNOWN " + b"x" * 107,
        V2 + b"\x11",  # version 1, written in binary
        V2 + b"\x22\x11\x00\x0c" + bytes(12),  # a command that nobody knows
        V2 + b"\x21\x12\x00\x0c" + bytes(12),  # datagrams
        V2 + b"\x21\x11\x00\x0b" + bytes(11),  # too short for its addresses
        V2 + b"\x21\x21\x00\x0c" + bytes(12),
    ],
)
def test_what_is_no_header_is_refused_and_not_waited_for(data: bytes) -> None:
    whole = data if len(data) >= 16 or not data.startswith(V2) else data.ljust(16, b"\0")
    with pytest.raises(Malformed):
        take_header(whole)


def test_a_line_that_does_not_end_is_given_up_where_it_has_to_end() -> None:
    line = b"PROXY TCP6 " + b"f" * 200
    assert take_header(line[:106]) is None
    with pytest.raises(Malformed, match="107 bytes"):
        take_header(line[:107])
    longest = b"PROXY UNKNOWN " + b"x" * (107 - 16) + b"\r\n"
    assert take_header(longest) == Header(None, 107)
