"""wsrelay.sharing, with the real kernel: whose connections are whose, and that none is lost."""

from __future__ import annotations

import gc
import os
import socket
from typing import Any
from unittest import SkipTest

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.loopback import reactor
from wsrelay.core.connections import Connections
from wsrelay.core.notices import Tally
from wsrelay.descriptors import Descriptors
from wsrelay.edge.gate import GateFactory
from wsrelay.edge.trust import Trusted
from wsrelay.listening import CannotStart, leave, listen, tcp_endpoint
from wsrelay.sharing import SharedPort, SharingReactor, listeners
from wsrelay.transport import EagerServer


class Host(Protocol):
    """Says whose connection it is."""

    factory: Any
    transport: Any

    def connectionMade(self) -> None:
        self.factory.hosts.append(self)
        self.transport.write(self.factory.name)


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
class SharingTest(TestCase):
    timeout = 20
    interface = "127.0.0.1"

    def setUp(self) -> None:
        self.clients: list[socket.socket] = []
        self.factories: list[Any] = []
        self.ports: list[SharedPort] = []
        self.descriptors = Descriptors(10_000, Connections(), Tally(), reactor.seconds)
        self.addCleanup(self.descriptors.close)
        self.addCleanup(self.everybody_goes)

    async def everybody_goes(self) -> None:
        for client in self.clients:
            client.close()
        for port in self.ports:
            if port.connected:
                await port.stopListening()
        for factory in self.factories:
            for host in factory.hosts:
                host.transport.abortConnection()
        await self.a_turn()

    async def a_turn(self) -> None:
        await deferLater(reactor, 0.01)

    def listening(self, number: int = 0) -> SharedPort:
        factory: Any = Factory.forProtocol(Host)
        factory.noisy = False
        factory.hosts = []
        factory.name = bytes([len(self.factories)])
        self.factories.append(factory)
        endpoint = tcp_endpoint(self.interface, number)
        door = self.before(factory)
        [port] = listen(SharingReactor(reactor), [endpoint], door, None, self.descriptors)
        assert isinstance(port, SharedPort)
        self.ports.append(port)
        return port

    def before(self, factory: Any) -> Any:
        return factory

    def group(self, many: int) -> list[SharedPort]:
        first = self.listening()
        number = first.getHost().port
        return [first, *(self.listening(number) for _ in range(many - 1))]

    async def connect(self, many: int) -> list[socket.socket]:
        host, port = self.ports[0].socket.getsockname()[:2]
        made = [socket.create_connection((host, port), timeout=10) for _ in range(many)]
        self.clients += made
        return made

    async def owners(self, clients: list[socket.socket]) -> list[int]:
        """Who accepted each of them."""
        found = []
        for client in clients:
            client.setblocking(False)
            while True:
                try:
                    [owner] = client.recv(1)
                    break
                except BlockingIOError:
                    await self.a_turn()
            found.append(owner)
        return found

    async def test_connections_are_dealt_to_all_who_listen(self) -> None:
        self.group(2)
        assert listeners(self.ports[0].socket) == 2
        assert set(await self.owners(await self.connect(60))) == {0, 1}

    async def test_what_is_accepted_has_the_transport_of_all_others(self) -> None:
        self.group(1)
        await self.owners(await self.connect(1))
        assert isinstance(self.factories[0].hosts[0].transport, EagerServer)

    async def test_who_leaves_gets_no_more_wherever_he_stands_in_the_group(self) -> None:
        for leaver in range(3):
            ports = self.group(3)
            first = len(self.factories) - 3
            self.ports = ports
            assert ports[leaver].steer_away()
            found = await self.owners(await self.connect(60))
            assert set(found) == {first + other for other in range(3) if other != leaver}
            for port in ports:
                await port.stopListening()

    async def test_what_is_in_the_queue_already_is_accepted_by_who_leaves(self) -> None:
        old, _new = self.group(2)
        waiting = await self.connect(40)  # the reactor has had no turn to accept them
        assert old.steer_away()
        later = await self.connect(40)
        await old.stopListening()
        found = await self.owners(waiting)
        assert set(found) == {0, 1}
        assert set(await self.owners(later)) == {1}
        assert len(self.factories[0].hosts) >= found.count(0)

    async def test_what_comes_until_the_very_last_moment_is_accepted(self) -> None:
        old, _ = self.group(2)
        closing = old.stopListening()
        waiting = await self.connect(40)  # after the last turn in which the port was read
        await closing
        assert set(await self.owners(waiting)) == {0, 1}

    async def test_whoever_connects_while_it_closes_is_not_reset(self) -> None:
        old, _ = self.group(2)
        assert old.steer_away()
        accept_all = old._accept_all

        def accept_all_and_then_some() -> None:
            accept_all()
            for _ in range(20):
                client = socket.socket(old.addressFamily)
                client.setblocking(False)
                client.connect_ex(self.ports[0].socket.getsockname()[:2])
                self.clients.append(client)

        self.patch(old, "_accept_all", accept_all_and_then_some)
        await old.stopListening()
        # Who was not heard is asked for by the kernel again, and finds the other one.
        assert set(await self.owners(self.clients)) <= {0, 1}

    async def test_when_he_has_left_the_others_get_their_share_again(self) -> None:
        first, second, third = self.group(3)
        assert first.steer_away()
        await first.stopListening()
        self.ports = [second, third]
        assert set(await self.owners(await self.connect(60))) == {1, 2}

    async def test_alone_there_is_nobody_to_leave_it_to(self) -> None:
        [alone] = self.group(1)
        assert not alone.steer_away()
        assert await self.owners(await self.connect(3)) == [0, 0, 0]

    async def test_connections_of_its_own_disturb_nobody(self) -> None:
        old, _ = self.group(2)
        before = await self.connect(1)
        [owner] = await self.owners(before)
        assert old.steer_away()
        before[0].send(b"x")
        await self.a_turn()
        assert [self.factories[owner].hosts[0].transport.connected] == [1]

    async def test_any_number_of_descriptors_may_be_open(self) -> None:
        old, _ = self.group(2)
        many = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
        try:
            assert old.steer_away()
        finally:
            for descriptor in many:
                os.close(descriptor)

    async def test_where_the_kernel_does_not_let_it_the_port_is_left_as_it_was(self) -> None:
        old, _ = self.group(2)
        self.patch(SharedPort, "_index", _refused)
        assert not old.steer_away()
        assert set(await self.owners(await self.connect(60))) == {0, 1}
        assert not self.flushLoggedErrors()

    async def test_a_port_that_is_not_shared_is_taken(self) -> None:
        family = socket.AF_INET6 if ":" in self.interface else socket.AF_INET
        self.addCleanup(gc.collect)  # Twisted (26.10) leaves its socket to it
        with socket.create_server((self.interface, 0), family=family) as taken:
            number = taken.getsockname()[1]
            with pytest.raises(CannotStart) as raised:
                self.listening(number)
        assert f"port {number} is taken" in str(raised.value)

    async def test_a_port_for_proxies_alone_is_left_as_well(self) -> None:
        told: list[str] = []
        self.before = lambda factory: GateFactory(  # type: ignore[method-assign]
            factory, Trusted([]), reactor, timeout=10, refused=lambda host, why: told.append(host)
        )
        old, _new = self.group(2)
        assert old.steer_away()
        assert told  # by connections of its own
        await old.stopListening()
        assert listeners(self.ports[1].socket) == 1

    async def test_a_shared_port_is_left_like_any_other(self) -> None:
        old, _ = self.group(2)
        await leave(old)
        assert not old.connected


def _refused(port: SharedPort, many: int) -> int | None:
    raise OSError(1, "Operation not permitted")


class SharingIpv6Test(SharingTest):
    interface = "::"

    def setUp(self) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            raise SkipTest("this machine has no IPv6") from error
        super().setUp()
