"""wsrelay.command.place: where a relay is."""

from __future__ import annotations

import pytest
from msgspec import structs

from tests.ports import free_port
from wsrelay.command.place import Answer, Place, Unreachable, place_of, places_of
from wsrelay.config.settings import Certificate, Settings, TlsListener

TLS = TlsListener(port=443, certificates=(Certificate(cert="c", key="k"),))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://relay.example", Place("relay.example", 80)),
        ("https://relay.example/", Place("relay.example", 443, "", True, "relay.example")),
        ("wss://r.example:7/rt/", Place("r.example", 7, "/rt", True, "r.example")),
        ("ws://[::1]:6001", Place("::1", 6001)),
    ],
)
def test_a_url_says_where(url: str, place: Place) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize("url", ["relay.example:6001", "ftp://a", "http://", "http://a/?b=c"])
def test_what_is_no_address_of_a_relay_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected http:// or https://"):
        place_of(url)


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (Settings(), [Place("127.0.0.1", 6001)]),
        (Settings(host="::", port=7, path_prefix="/rt"), [Place("127.0.0.1", 7, "/rt")]),
        (Settings(host="192.0.2.7", port=7), [Place("192.0.2.7", 7)]),
        (Settings(port=0), []),
        (Settings(proxy_protocol=True, tls=(TLS,)), [Place("127.0.0.1", 443, is_tls=True)]),
        (
            Settings(tls=(structs.replace(TLS, proxy_protocol=True),)),
            [Place("127.0.0.1", 6001)],
        ),
        (Settings(tls=(TLS,)), [Place("127.0.0.1", 6001), Place("127.0.0.1", 443, is_tls=True)]),
        (Settings(port=443, tls=(TLS,)), [Place("127.0.0.1", 443, is_tls=True)]),
        (
            Settings(
                listen=(
                    "unix:/run/a.sock",
                    "tcp:8:interface=192.0.2.1:backlog=9",
                    r"tcp6:9:interface=2001\:db8\:\:1",
                    "tcp6:10",
                    "tcp:0",
                )
            ),
            [Place("192.0.2.1", 8), Place("2001:db8::1", 9), Place("::1", 10)],
        ),
    ],
)
def test_the_settings_say_where(settings: Settings, places: list[Place]) -> None:
    assert list(places_of(settings)) == places


def test_the_address_for_sockets_names_who_has_to_answer() -> None:
    assert Place("::1", 6001, "/rt").socket_url("k") == "ws://[::1]:6001/rt/app/k?protocol=7"
    secured = Place("127.0.0.1", 443, is_tls=True, server_name="r.example")
    assert secured.socket_url("k") == "wss://r.example:443/app/k?protocol=7"


def test_where_nothing_answers_is_told() -> None:
    port = free_port()
    with pytest.raises(Unreachable, match=rf"http://127\.0\.0\.1:{port}: Connection refused"):
        Place("127.0.0.1", port).ask("GET", "/up")


def test_a_refusal_is_told_in_the_relays_words_or_as_it_came() -> None:
    assert Answer(401, {}, b'{"error":"wrong","code":401}').reason == "401: wrong"
    assert Answer(502, {}, b"<h1>Bad Gateway").reason == "502: <h1>Bad Gateway"
    assert Answer(500, {}, b"").reason == "500: no reason"
