"""wsrelay.tls.door: names. How connections end is told in test_wss.py, over real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from tests.tls.authority import Authority, Issued
from tests.tls.handshake import Handshake, client_context
from wsrelay.config.settings import Certificate, TlsListener
from wsrelay.tls.door import TlsDoor
from wsrelay.tls.pair import read_pair

ROOT = Authority()


class Shown:
    """A door with some certificates, and who is shown which."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.door = TlsDoor(TlsListener(certificates=()))

    def show(self, *issued: Issued, names: dict[int, tuple[str, ...]] | None = None) -> None:
        pairs = []
        for number, each in enumerate(issued):
            files: Certificate = each.store(self.directory, f"{number}")
            files = structs.replace(files, names=(names or {}).get(number, ()))
            pairs.append(read_pair(files))
        self.door.show(pairs, ())

    def to(self, name: str | None) -> int:
        client = client_context(ROOT, check_hostname=False)
        return self.handshake(client, name).serial

    def handshake(self, client: object, name: str | None) -> Handshake:
        return Handshake(lambda: self.door.serverConnectionForTLS(None), client, name)  # type: ignore[arg-type]


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    return Shown(tmp_path)


def test_each_name_is_shown_its_certificate_and_any_other_the_first(shown: Shown) -> None:
    one, two = ROOT.issue("one.example", "www.one.example"), ROOT.issue("two.example")
    shown.show(one, two)
    assert shown.to("one.example") == one.serial
    assert shown.to("www.one.example") == one.serial
    assert shown.to("two.example") == two.serial
    assert shown.to("TWO.example") == two.serial
    assert shown.to("three.example") == one.serial
    assert shown.to(None) == one.serial


def test_a_star_stands_for_one_label_and_gives_way_to_the_name_itself(shown: Shown) -> None:
    other, star = ROOT.issue("other.example"), ROOT.issue("*.two.example")
    exact = ROOT.issue("a.two.example")
    shown.show(other, star, exact)
    assert shown.to("b.two.example") == star.serial
    assert shown.to("a.two.example") == exact.serial
    assert shown.to("two.example") == other.serial
    assert shown.to("c.b.two.example") == other.serial


def test_of_two_for_the_same_name_the_first_is_shown(shown: Shown) -> None:
    one, two = ROOT.issue("same.example"), ROOT.issue("same.example")
    shown.show(one, two)
    assert shown.to("same.example") == one.serial


def test_names_of_the_settings_decide_where_there_are_some(shown: Shown) -> None:
    one, two = ROOT.issue("one.example"), ROOT.issue("two.example")
    shown.show(one, two, names={1: ("one-b.example",)})
    assert shown.to("one-b.example") == two.serial
    assert shown.to("two.example") == one.serial


def test_new_certificates_are_for_those_who_come_and_not_for_those_who_are_here(
    shown: Shown,
) -> None:
    old, new = ROOT.issue("relay.example"), ROOT.issue("relay.example")
    shown.show(ROOT.issue("other.example"), old)
    before = shown.handshake(client_context(ROOT), "relay.example")
    shown.show(new)
    assert shown.to("relay.example") == new.serial
    before.say(b"still here")
    assert before.serial == old.serial


def test_the_settings_of_the_listener_hold_for_every_name(shown: Shown) -> None:
    shown.door.settings = TlsListener(certificates=(), minimum_version="1.3")
    shown.show(ROOT.issue("one.example"), ROOT.issue("two.example"))
    for name in ("one.example", "two.example"):
        handshake = shown.handshake(client_context(ROOT), name)
        assert handshake.client.version() == "TLSv1.3"
        client = client_context(ROOT)
        client.set_alpn_protocols(["h2", "http/1.1"])
        assert shown.handshake(client, name).client.selected_alpn_protocol() == "http/1.1"
