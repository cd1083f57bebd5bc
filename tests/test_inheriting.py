"""wsrelay.inheriting: when sockets of the service manager stand for the port."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from twisted.internet import endpoints
from twisted.python.systemd import ListenFDs

from tests.loopback import reactor
from tests.signing import APP
from wsrelay.config.settings import DEVELOPMENT_APP, Settings
from wsrelay.inheriting import inherited
from wsrelay.listening import CannotStart

Inherit = list[socket.socket]


@pytest.fixture
def inherit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inherit]:
    """Sockets that are put in here are inherited, two of them to begin with."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    set_inherited(monkeypatch, sockets)
    yield sockets
    for each in sockets:
        each.close()


def set_inherited(monkeypatch: pytest.MonkeyPatch, sockets: Inherit) -> None:
    descriptors = [each.fileno() for each in sockets]
    found = ListenFDs(descriptors, [str(number) for number in descriptors])
    monkeypatch.setattr(endpoints._SystemdParser, "_sddaemon", found)


OWN = Settings(apps=(APP,))


def test_all_of_them_are_listened_on(inherit: Inherit) -> None:
    assert inherited(reactor, OWN) == (
        "systemd:domain=INET:index=0",
        "systemd:domain=INET:index=1",
    )


def test_without_any_there_is_nothing_to_listen_on() -> None:
    assert inherited(reactor, OWN) == ()


def test_where_one_is_named_by_hand_all_are(inherit: Inherit) -> None:
    assert inherited(reactor, Settings(apps=(APP,), listen=("systemd:domain=INET:name=a",))) == ()


def test_the_development_app_is_served_on_loopback_only(
    inherit: Inherit, monkeypatch: pytest.MonkeyPatch
) -> None:
    development = Settings(apps=(DEVELOPMENT_APP,))
    assert len(inherited(reactor, development)) == 2
    inherit.append(socket.create_server(("0.0.0.0", 0)))
    set_inherited(monkeypatch, inherit)
    with pytest.raises(CannotStart, match=r"on 0\.0\.0\.0 needs an app of your own"):
        inherited(reactor, development)
    assert len(inherited(reactor, OWN)) == 3


@pytest.mark.parametrize(
    ("family", "kind"),
    [(socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)],
)
def test_what_is_not_of_tcp_is_refused(
    family: int, kind: int, inherit: Inherit, monkeypatch: pytest.MonkeyPatch
) -> None:
    inherit.append(socket.socket(family, kind))
    set_inherited(monkeypatch, inherit)
    with pytest.raises(CannotStart, match="is not of TCP"):
        inherited(reactor, OWN)
