"""The ports of a relay of several processes: opened by the parent, served by its workers.

Each TCP port is as many sockets as there are workers, among which the kernel deals new connections
out (SO_REUSEPORT). The parent keeps all of them open as long as it lives: what waits in the queue
of a worker that crashed waits on for the one that takes its place. Sockets of the service manager
and Unix sockets are one for all, from which whoever comes first accepts.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet import unix
from twisted.internet.abstract import isIPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory

from ..listening import CannotStart, listen
from ..sharing import listeners
from ..successor import Successor


class Opened:
    """One port: the sockets of the workers, or the one socket of all."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        *,
        is_dealt: bool = False,
        is_inherited: bool = False,
        behind: Any = None,
    ) -> None:
        """``behind``: what else has to stop listening when it closes."""
        self.sockets = list(sockets)
        #: Each socket is for one worker alone.
        self.is_dealt = is_dealt
        self.is_inherited = is_inherited
        self._behind = behind

    def socket_of(self, number: int) -> socket.socket:
        """The socket of the worker with this number; they begin with 1."""
        return self.sockets[number - 1] if self.is_dealt else self.sockets[0]

    @property
    def successor(self) -> Successor:
        """Who there is when these processes stop, as ``successor`` means it."""
        if self.is_inherited:
            return Successor.EXPECTED
        with suppress(OSError):  # no /proc
            if self.is_dealt and listeners(self.sockets[0]) > len(self.sockets):
                return Successor.PRESENT
        return Successor.NONE

    def stopListening(self) -> None:
        """Close what this process has of it."""
        if self._behind is not None:
            self._behind.stopListening()
        for each in self.sockets:
            each.close()


class Opening:
    """The reactor, as far as ``listening`` needs it: its ports are opened, and not served."""

    def __init__(self, reactor: Any, many: int, *, is_shared: bool) -> None:
        """For so many workers. ``is_shared``: other processes may have these ports as well."""
        self._reactor = reactor
        self._many = many
        self._is_shared = is_shared

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> Opened:
        _refuse_wrapped(factory)
        made: list[socket.socket] = []
        try:
            family, address = _address(interface, port)
            for _ in range(self._many):
                # The first has it alone, or is refused; the others then join it.
                _bind(made, family, address, is_shared=bool(made) or self._is_shared)
                address = made[0].getsockname()
            for each in made:
                each.listen(backlog)
        except OSError as error:
            for each in made:
                each.close()
            raise CannotListenError(interface, port, error) from error
        return Opened(made, is_dealt=True)

    def listenUNIX(
        self,
        address: str,
        factory: IProtocolFactory,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> Opened:
        _refuse_wrapped(factory)
        make: Any = unix.Port
        port = make(address, factory, backlog, mode, self._reactor, wantPID)
        port.startListening()
        port.stopReading()
        return Opened([port.socket.dup()], behind=port)

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> Opened:
        _refuse_wrapped(factory)
        inherited = socket.socket(fileno=os.dup(fileDescriptor))
        inherited.setblocking(False)
        return Opened([inherited], is_inherited=True)


#: Stands behind every port here.
_nobody = Factory()
_nobody.noisy = False


def opened(opening: Opening, places: Iterable[Sequence[str]]) -> list[list[Opened]]:
    """The ports of all places, or none. Raises ``CannotStart``."""
    found: list[list[Any]] = []
    try:
        for endpoints in places:
            found.append(list(listen(opening, endpoints, _nobody, None)))
    except CannotStart:
        close(found)
        raise
    return found


def close(places: Iterable[Iterable[Opened]]) -> None:
    """Close what this process has of all ports."""
    for ports in places:
        for port in ports:
            port.stopListening()


def _refuse_wrapped(factory: IProtocolFactory) -> None:
    if factory is not _nobody:
        raise ValueError("workers serve tcp:, tcp6:, unix: and systemd: only")


def _address(interface: str, port: int) -> tuple[socket.AddressFamily, Any]:
    if not isIPv6Address(interface):
        return socket.AF_INET, (interface, port)
    flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE
    [found, *_] = socket.getaddrinfo(interface, port, socket.AF_INET6, socket.SOCK_STREAM, 0, flags)
    return socket.AF_INET6, found[4]


def _bind(made: list[socket.socket], family: int, address: Any, *, is_shared: bool) -> None:
    each = socket.socket(family, socket.SOCK_STREAM)
    made.append(each)
    each.setblocking(False)
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)
    each.bind(address)
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
