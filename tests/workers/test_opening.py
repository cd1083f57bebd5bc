"""wsrelay.workers.opening, with the real kernel."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from wsrelay.listening import CannotStart
from wsrelay.successor import Successor
from wsrelay.workers.opening import Opened, Opening, close, opened


@contextmanager
def opening(
    *endpoints: str, many: int = 2, is_shared: bool = False, reactor: Any = None
) -> Iterator[list[Opened]]:
    """The ports of one place."""
    places = opened(Opening(reactor, many, is_shared=is_shared), [endpoints])
    try:
        yield places[0]
    finally:
        close(places)


def port_of(port: Opened) -> int:
    return int(port.sockets[0].getsockname()[1])


def taken_by(port: Opened) -> list[int]:
    """How many connections wait in each queue, all of which are taken out."""
    counts = []
    for each in port.sockets:
        count = 0
        while True:
            try:
                each.accept()[0].close()
            except BlockingIOError:
                break
            count += 1
        counts.append(count)
    return counts


def test_every_worker_has_a_socket_on_the_same_address_and_its_share_of_connections() -> None:
    with opening("tcp:0:interface=127.0.0.1", many=3) as [port], ExitStack() as stack:
        assert len({each.getsockname() for each in port.sockets}) == 1
        assert [port.socket_of(number) for number in (1, 2, 3)] == port.sockets
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(port))))
        taken = taken_by(port)
        assert sum(taken) == 60
        assert all(taken)
        assert (port.is_dealt, port.is_inherited, port.successor) == (True, False, Successor.NONE)


def test_what_is_taken_is_refused_though_the_workers_share_it() -> None:
    with opening("tcp:0:interface=127.0.0.1") as [port]:
        endpoint = f"tcp:{port_of(port)}:interface=127.0.0.1"
        with pytest.raises(CannotStart, match=f"port {port_of(port)} is taken"), opening(endpoint):
            pass
        with opening(endpoint, is_shared=True) as [other]:
            assert port.successor is other.successor is Successor.PRESENT
        assert port.successor is Successor.NONE


def test_either_all_places_are_had_or_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        taken = owner.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as unowned:
            free = unowned.getsockname()[1]
        endpoints = [f"tcp:{port}:interface=127.0.0.1" for port in (free, taken)]
        with pytest.raises(CannotStart):
            opened(Opening(None, 2, is_shared=False), [endpoints[:1], endpoints[1:]])
        socket.create_server(("127.0.0.1", free)).close()


def test_an_ipv6_address_is_as_good() -> None:
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    with opening(r"tcp6:0:interface=\:\:1") as [port]:
        assert port.sockets[1].getsockname()[:2] == ("::1", port_of(port))


def test_a_unix_socket_is_one_for_all_and_its_file_goes_with_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("u") / "relay"
    clock = MemoryReactorClock()
    with opening(f"unix:{path}", reactor=clock) as [port]:
        assert port.socket_of(1) is port.socket_of(2)
        assert (port.is_dealt, port.successor) == (False, Successor.NONE)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            assert taken_by(port) == [1]
    clock.advance(0)
    assert not path.exists()


def test_an_inherited_socket_is_one_for_all_and_outlives_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        adopting = Opening(None, 2, is_shared=False)
        with pytest.raises(ValueError, match="unix: and systemd: only"):
            adopting.adoptStreamPort(inherited.fileno(), inherited.family, Any)  # type: ignore[arg-type]
        from wsrelay.workers.opening import _nobody

        port = adopting.adoptStreamPort(inherited.fileno(), inherited.family, _nobody)
        assert port.socket_of(2).getsockname() == inherited.getsockname()
        assert (port.is_inherited, port.successor) == (True, Successor.EXPECTED)
        port.stopListening()
        os.fstat(inherited.fileno())


def test_endpoints_that_put_something_between_are_refused() -> None:
    with pytest.raises(CannotStart, match="workers serve tcp:, tcp6:, unix: and systemd: only"):
        opened(Opening(None, 2, is_shared=False), [["haproxy:tcp:0"]])
