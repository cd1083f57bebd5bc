"""wsrelay.successor: who goes on when this process stops."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.endpoints import AdoptedStreamServerEndpoint
from twisted.internet.protocol import Factory

from tests.loopback import reactor
from wsrelay import listening
from wsrelay.listening import is_inherited, leave, listen, tcp_endpoint
from wsrelay.sharing import SharedPort, SharingReactor
from wsrelay.successor import Successor, successor


def close(port: Any) -> None:
    """At once, without a turn of the reactor."""
    if port.connected:
        port.stopReading()
        port.connectionLost(None)


@pytest.fixture
def ports() -> Iterator[list[SharedPort]]:
    """Two that are shared, of two processes as it were."""
    factory = Factory()
    factory.noisy = False
    sharing = SharingReactor(reactor)
    [first] = listen(sharing, [tcp_endpoint("127.0.0.1", 0)], factory, None)
    [second] = listen(sharing, [tcp_endpoint("127.0.0.1", first.getHost().port)], factory, None)
    both = [first, second]
    yield both
    for port in both:
        close(port)


def test_who_listens_on_the_same_port_is_a_successor(ports: list[SharedPort]) -> None:
    first, second = ports
    assert successor([first]) is Successor.PRESENT
    close(second)
    assert successor([first]) is Successor.NONE


def test_all_ports_need_one(ports: list[SharedPort]) -> None:
    assert successor([ports[0], object()]) is Successor.NONE
    assert successor([]) is Successor.NONE


def test_what_the_operator_says_counts_more(ports: list[SharedPort]) -> None:
    assert successor([object()], "present") is Successor.PRESENT
    assert successor([ports[0]], "none") is Successor.NONE


def test_clients_come_back_at_once_only_where_somebody_is() -> None:
    assert [int(each.code) for each in Successor] == [4100, 4200, 4200]


def test_an_inherited_socket_outlives_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        endpoint = AdoptedStreamServerEndpoint(
            reactor, socket.dup(inherited.fileno()), socket.AF_INET6
        )
        monkeypatch.setattr(listening, "serverFromString", lambda *_: endpoint)
        factory = Factory()
        factory.noisy = False
        [port] = listen(reactor, ["systemd:domain=INET6:index=0"], factory, None)
        assert is_inherited(port)
        assert successor([port]) is Successor.EXPECTED
        close(port)
        with socket.create_connection(inherited.getsockname()) as client:
            inherited.accept()[0].close()
            assert client.recv(1) == b""


def test_the_file_of_an_inherited_unix_socket_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("s") / "relay.sock"
    with socket.socket(socket.AF_UNIX) as inherited:
        inherited.bind(str(path))
        inherited.listen()
        endpoint = AdoptedStreamServerEndpoint(
            reactor, socket.dup(inherited.fileno()), socket.AF_UNIX
        )
        monkeypatch.setattr(listening, "serverFromString", lambda *_: endpoint)
        factory = Factory()
        factory.noisy = False
        [port] = listen(reactor, ["systemd:domain=UNIX:index=0"], factory, None)
        port.stopListening = lambda: close(port)
        leave(port)
        assert path.exists()
