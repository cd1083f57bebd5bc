"""wsrelay.workers.adopting: a worker listens with what its parent opened."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from tests.loopback import LoopbackTestCase, reactor
from tests.workers.test_opening import opening, port_of
from wsrelay.core.connections import Connections
from wsrelay.core.notices import Tally
from wsrelay.descriptors import Descriptors
from wsrelay.listening import is_inherited
from wsrelay.sharing import always, attach
from wsrelay.successor import Successor
from wsrelay.transport import EagerServer
from wsrelay.workers import adopting
from wsrelay.workers.adopting import DealtPort, Ports
from wsrelay.workers.opening import Opened
from wsrelay.workers.words import Socket


class Greeting(Protocol):
    def connectionMade(self) -> None:
        greeted = self.factory.greeted  # type: ignore[union-attr]
        if greeted.called:
            self.transport.abortConnection()  # type: ignore[union-attr]
        else:
            greeted.callback(self)


def handed(port: Opened, number: int, **more: Any) -> Socket:
    """What a worker with this number is given."""
    own = port.socket_of(number)
    return Socket(os.dup(own.fileno()), own.family, port.is_dealt, port.is_inherited, **more)


class AdoptingTest(LoopbackTestCase):
    def adopt(self, *given: Socket) -> tuple[Ports, list[Any], Any]:
        factory: Any = Factory.forProtocol(Greeting)
        factory.greeted = Deferred()
        descriptors = Descriptors(10_000, Connections(), Tally(), reactor.seconds)
        self.addCleanup(descriptors.close)
        ports = Ports(reactor, [list(given)])
        listening = list(ports.listen([factory], None, descriptors))
        for port in listening:
            self.addCleanup(port.stopListening)
        return ports, listening, factory

    async def test_it_accepts_from_its_own_socket_and_leaves_the_others_alone(self) -> None:
        with opening("tcp:0:interface=127.0.0.1") as [opened]:
            ports, [port], factory = self.adopt(handed(opened, 1))
            assert isinstance(port, DealtPort)
            assert not is_inherited(port)
            assert port.getHost().port == port_of(opened)
            attach(opened.sockets[0], always(0))
            with socket.create_connection(("127.0.0.1", port_of(opened))):
                server = await factory.greeted
                assert isinstance(server.transport, EagerServer)
                server.transport.abortConnection()
            assert ports.find_places() == [0]
            assert ports.successor() is Successor.NONE

    async def test_it_is_steered_by_the_parent_alone(self) -> None:
        with opening("tcp:0:interface=127.0.0.1") as [opened]:
            ports, [port], _ = self.adopt(handed(opened, 2))
            assert not port.steer_away()
            ports.steered([True])
            assert port.steer_away()

    async def test_where_there_is_no_table_of_sockets_no_place_is_found(self) -> None:
        with opening("tcp:0:interface=127.0.0.1") as [opened]:
            ports, _, _ = self.adopt(handed(opened, 1))

            def no_table(listening: object) -> int:
                raise FileNotFoundError

            self.patch(adopting, "listeners", no_table)
            assert ports.find_places() == [None]

    async def test_a_socket_of_all_is_left_as_it_is(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as inherited:
            inherited.setblocking(False)  # as Opening does
            opened = Opened([inherited.dup()], is_inherited=True)
            ports, [port], factory = self.adopt(handed(opened, 1))
            assert is_inherited(port)
            assert ports.successor() is Successor.EXPECTED
            with socket.create_connection(inherited.getsockname()):
                server = await factory.greeted
                server.transport.abortConnection()
            await port.stopListening()
            with socket.create_connection(inherited.getsockname()):
                pass
            opened.stopListening()
