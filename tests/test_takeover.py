"""wsrelay.takeover: a connection changes hands, also behind a wrapper such as TLS."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import WrappingFactory

from tests.memory import Line
from wsrelay.takeover import take_over


class Heir(Protocol):
    """Writes down what it is given."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def connectionMade(self) -> None:
        self.heard.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def connectionLost(self, reason: object = None) -> None:
        self.heard.append("lost")


class Heirs(Factory):
    noisy = False

    def __init__(self) -> None:
        self.heir = Heir()
        self.addresses: list[object] = []

    def buildProtocol(self, addr: object) -> Heir:
        self.addresses.append(addr)
        return self.heir


class Giver(Protocol):
    """Gives the connection away with the first bytes that it reads."""

    factory: Any

    def dataReceived(self, data: bytes) -> None:
        take_over(self.factory.heirs, self.transport, b"read: " + data)

    def connectionLost(self, reason: object = None) -> None:
        raise AssertionError("it is not his any more")


def givers() -> Any:
    factory: Any = Factory.forProtocol(Giver)
    factory.heirs = Heirs()
    return factory


def test_the_new_protocol_has_the_connection_with_what_was_read_already() -> None:
    factory = givers()
    line = Line(None, 1)
    line.protocol = factory.buildProtocol(None)
    line.protocol.makeConnection(line)
    line.send(b"first")
    line.send(b"second")
    line.hang_up()
    heirs = factory.heirs
    assert heirs.heir.heard == ["made", b"read: first", b"second", "lost"]
    assert heirs.heir.transport is line
    assert heirs.addresses == [line.getPeer()]


def test_behind_a_wrapper_the_wrapper_stays() -> None:
    factory = givers()
    wrapping = WrappingFactory(factory)
    wrapping.noisy = False
    line = Line(None, 1)
    line.protocol = wrapper = wrapping.buildProtocol(None)
    wrapper.makeConnection(line)
    line.send(b"first")
    line.send(b"second")
    factory.heirs.heir.transport.write(b"answer")
    line.hang_up()
    assert factory.heirs.heir.heard == ["made", b"read: first", b"second", "lost"]
    assert line.read() == b"answer"
    assert line.protocol is wrapper
