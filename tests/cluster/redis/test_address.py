"""wsrelay.cluster.redis.address"""

from __future__ import annotations

import pytest

from wsrelay.cluster.redis.address import Address, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://redis.example", Address((("redis.example", 6379),))),
        ("redis://:p%40ss@h:6380/3", Address((("h", 6380),), password="p@ss", database=3)),
        ("redis://ada:secret@[::1]", Address((("::1", 6379),), username="ada", password="secret")),
        (
            "rediss://h?ca=/a.pem&cert=/c.pem&key=/k.pem",
            Address((("h", 6379),), is_tls=True, ca="/a.pem", cert="/c.pem", key="/k.pem"),
        ),
        ("unix:///run/redis.sock?db=2", Address(path="/run/redis.sock", database=2)),
        ("unix://:secret@/r.sock", Address(path="/r.sock", password="secret")),
        (
            "redis+sentinel://:secret@a,b:1/mine/2?sentinel_password=hidden",
            Address(
                (("a", 26379), ("b", 1)),
                topology="sentinel",
                master="mine",
                password="secret",
                sentinel_password="hidden",
                database=2,
            ),
        ),
        (
            "rediss+cluster://a:1,b",
            Address((("a", 1), ("b", 6379)), topology="cluster", is_tls=True),
        ),
    ],
)
def test_a_url_is_understood(url: str, address: Address) -> None:
    assert parse(url) == address
    assert "secret" not in repr(parse(url))
    assert "hidden" not in repr(parse(url))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://h", "redis://"),
        ("redis://h/a", "database must be a number"),
        ("redis://h:port", "port must be"),
        ("redis+sentinel://h", "master's name"),
        ("redis+cluster://h/1", "no databases"),
        ("redis+other://h", "redis\\+cluster"),
        ("unix+cluster:///r.sock", "redis\\+cluster"),
        ("redis://h?ca=x", "ca"),
        ("rediss://h?cert=x", "belong together"),
        ("unix://", "PATH"),
        ("redis://:topsecret@h/a", "database"),
    ],
)
def test_a_faulty_url_is_explained_without_its_password(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        parse(url)
    assert "topsecret" not in str(raised.value)
