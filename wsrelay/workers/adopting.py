"""The ports of a worker: it listens with the sockets that its parent opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from ..descriptors import Descriptors
from ..listening import serve
from ..sharing import SharedPort, listeners
from ..successor import Successor
from ..transport import Wave
from .words import Socket


class DealtPort(SharedPort):
    """The worker's own socket of several, which are the parent's to steer."""

    #: Whether the connections to come are dealt to others already.
    is_steered = False

    def __init__(
        self, port: int, factory: IProtocolFactory, backlog: int, interface: str, reactor: Any
    ) -> None:
        # The socket is there and bound; SharedPort would prepare for another.
        tcp.Port.__init__(self, port, factory, backlog, interface, reactor)

    def steer_away(self) -> bool:
        return self.is_steered

    def find_place(self) -> int | None:
        """Which place the socket has in its group; ``None`` if it can't be found out."""
        try:
            return self._index(listeners(self.socket))
        except OSError:
            return None


class Ports:
    """All of them, in the order in which the parent gave them."""

    def __init__(self, reactor: Any, places: Sequence[Sequence[Socket]]) -> None:
        self._reactor = reactor
        self._places = places
        self._dealt: list[DealtPort] = []

    def listen(
        self, behind: Iterable[IProtocolFactory], wave: Wave | None, descriptors: Descriptors
    ) -> Iterator[IListeningPort]:
        """Listen at every place, with what stands behind it."""
        for sockets, factory in zip(self._places, behind, strict=True):
            for given in sockets:
                port = self._adopt(given, factory)
                # Only a socket that nobody else has is closed for good when it is left.
                serve(port, wave, descriptors, outlives=not given.is_dealt)
                yield port

    def _adopt(self, given: Socket, factory: IProtocolFactory) -> Any:
        if not given.is_dealt:
            port = self._reactor.adoptStreamPort(given.descriptor, given.family, factory)
        else:
            port = DealtPort._fromListeningDescriptor(
                self._reactor, given.descriptor, given.family, factory
            )
            port.startListening()
            self._dealt.append(port)
        os.close(given.descriptor)  # the port has one of its own
        return port

    def find_places(self) -> list[int | None]:
        return [port.find_place() for port in self._dealt]

    def steered(self, are_steered: Sequence[bool]) -> None:
        for port, is_steered in zip(self._dealt, are_steered, strict=True):
            port.is_steered = is_steered

    def successor(self) -> Successor:
        """Who there is when the parent is gone, which held the sockets of its own."""
        sockets = [given for sockets in self._places for given in sockets]
        is_expected = bool(sockets) and all(given.is_inherited for given in sockets)
        return Successor.EXPECTED if is_expected else Successor.NONE
