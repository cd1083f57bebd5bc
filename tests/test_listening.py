"""wsrelay.listening: endpoints are had, all of them or none, or one line says why not."""

from __future__ import annotations

import errno
import gc
import socket
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from twisted.internet.address import HostnameAddress
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import TestCase

from tests.loopback import reactor
from tests.ports import free_port
from wsrelay.listening import CannotStart, endpoint_of, listen, name_of, tcp_endpoint


def factory() -> Factory:
    made = Factory.forProtocol(Protocol)
    made.noisy = False
    return made


# Twisted (26.10) leaves a socket that can't be bound to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
class ListenTest(TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.socket = Path(folder.name) / "relay.sock"
        self.addCleanup(gc.collect)

    def listening(self, *endpoints: str) -> list[Any]:
        ports = listen(reactor, endpoints, factory(), None)
        for port in ports:
            self.addCleanup(port.stopListening)
        return ports

    def refused(self, *endpoints: str) -> str:
        with pytest.raises(CannotStart) as raised:
            self.listening(*endpoints)
        told = str(raised.value)
        assert "\n" not in told
        assert told.startswith("wsrelay: ")
        return told.removeprefix("wsrelay: ")

    def taken_port(self) -> int:
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        port = taken.getsockname()[1]
        assert isinstance(port, int)
        return port

    def test_every_endpoint_is_listened_on_and_has_a_name(self) -> None:
        ports = self.listening(
            tcp_endpoint("127.0.0.1", 0), tcp_endpoint("localhost", 0), f"unix:{self.socket}"
        )
        for port, name in zip(ports, map(name_of, ports), strict=True):
            if port.getHost().__class__.__name__ == "UNIXAddress":
                assert name == str(self.socket)
                assert endpoint_of(port) == f"unix {self.socket}"
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(self.socket))
            else:
                assert name == f"127.0.0.1:{port.getHost().port}"
                assert endpoint_of(port) == f"tcp {name}"
                socket.create_connection(("127.0.0.1", port.getHost().port)).close()

    def test_a_taken_port_is_named_together_with_the_way_to_its_owner(self) -> None:
        port = self.taken_port()
        told = self.refused(tcp_endpoint("127.0.0.1", port))
        assert told == f"port {port} is taken; its owner: ss -ltnp sport = :{port}"

    def test_what_a_daemonizing_twistd_shows_of_it_is_all_of_it(self) -> None:
        # 100 bytes of "module.Class: text" (Twisted 26.10, formatChildException).
        error = CannotStart("port 65535 is taken; its owner: ss -ltnp sport = :65535")
        assert len(f"{CannotStart.__module__}.{CannotStart.__name__}: {error}") <= 100

    async def test_when_one_endpoint_cannot_be_had_none_is_kept(self) -> None:
        taken = self.taken_port()
        free = free_port()
        self.refused(tcp_endpoint("127.0.0.1", free), tcp_endpoint("127.0.0.1", taken))
        await deferLater(reactor, 0)  # a port closes in the next turn
        socket.create_server(("127.0.0.1", free)).close()

    def test_what_is_no_endpoint_is_told_with_its_text(self) -> None:
        for endpoint in (
            "nonsense",
            "tcp",
            "tcp:many",
            "tcp:1:2:3:4:5:6",
            "tcp:6001:no=such",
            "ssl:6001:privateKey=/nowhere/key.pem",
        ):
            told = self.refused(endpoint)
            assert told.startswith(f"--listen {endpoint}: not an endpoint Twisted knows (")

    def test_an_address_that_is_not_of_this_machine_is_told(self) -> None:
        told = self.refused(tcp_endpoint("192.0.2.1", 6001))
        assert told.startswith("can't listen on tcp:6001:interface=192.0.2.1:")
        told = self.refused("tcp:99999:interface=127.0.0.1")
        assert told.startswith("can't listen on tcp:99999:interface=127.0.0.1: ")

    def test_a_socket_in_a_folder_that_is_not_there_is_told(self) -> None:
        told = self.refused("unix:/nowhere/relay.sock")
        assert told.startswith("can't listen on unix:/nowhere/relay.sock: ")

    def test_a_socket_that_another_server_has_is_told(self) -> None:
        self.listening(f"unix:{self.socket}")
        told = self.refused(f"unix:{self.socket}")
        assert str(self.socket) in told
        assert "ss -ltnp" not in told


class Refusing(MemoryReactorClock):
    """A reactor that refuses some addresses, as the system would."""

    def __init__(self, refuses: Callable[[int, str], int | None]) -> None:
        super().__init__()
        self._refuses = refuses
        self.stopped: list[str] = []

    def listenTCP(  # type: ignore[override]
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        code = self._refuses(port, interface)
        if code is not None:
            raise CannotListenError(interface, port, OSError(code, "refused"))
        return super().listenTCP(port, factory, backlog, interface)


LOOPBACKS = [tcp_endpoint("127.0.0.1", 6001), tcp_endpoint("::1", 6001)]


@pytest.mark.parametrize("code", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_a_machine_without_ipv6_serves_ipv4_alone(code: int) -> None:
    reactor = Refusing(lambda port, interface: code if ":" in interface else None)
    assert len(listen(reactor, LOOPBACKS, factory(), None)) == 1


def test_where_nothing_but_ipv6_was_asked_for_its_absence_is_told() -> None:
    reactor = Refusing(lambda port, interface: errno.EAFNOSUPPORT)
    with pytest.raises(CannotStart, match=r"can't listen on tcp6:6001:interface="):
        listen(reactor, [tcp_endpoint("::1", 6001)], factory(), None)


def test_an_ipv6_port_that_is_taken_is_no_missing_ipv6() -> None:
    reactor = Refusing(lambda port, interface: errno.EADDRINUSE if ":" in interface else None)
    with pytest.raises(CannotStart, match="port 6001 is taken"):
        listen(reactor, LOOPBACKS, factory(), None)


def test_without_ipv4_there_is_no_start() -> None:
    reactor = Refusing(lambda port, interface: None if ":" in interface else errno.EADDRNOTAVAIL)
    with pytest.raises(CannotStart, match=r"can't listen on tcp:6001:interface=127\.0\.0\.1"):
        listen(reactor, LOOPBACKS, factory(), None)


def test_a_port_that_needs_privileges_says_so() -> None:
    reactor = Refusing(lambda port, interface: errno.EACCES if port < 1024 else None)
    with pytest.raises(CannotStart, match=r"port 80 needs privileges: choose one above 1023"):
        listen(reactor, [tcp_endpoint("127.0.0.1", 80)], factory(), None)


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("127.0.0.1", "tcp:6001:interface=127.0.0.1:backlog=4096"),
        ("::1", r"tcp6:6001:interface=\:\:1:backlog=4096"),
        ("::", r"tcp6:6001:interface=\:\::backlog=4096"),
        ("localhost", "tcp:6001:interface=localhost:backlog=4096"),
    ],
)
def test_a_host_and_a_port_make_an_endpoint(host: str, endpoint: str) -> None:
    assert tcp_endpoint(host, 6001) == endpoint


def test_an_address_of_another_kind_has_a_name_too() -> None:
    class Port:
        def getHost(self) -> object:
            return HostnameAddress(b"relay.example", 6001)

    assert "relay.example" in name_of(Port())  # type: ignore[arg-type]
