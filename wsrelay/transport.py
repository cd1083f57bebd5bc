"""A TCP transport that reads in waves and writes at once.

Twisted's own ``write`` queues the bytes and registers the descriptor for writing: two system
calls and a wake-up around every ``send``. When nothing waits, the socket takes the bytes right
away nearly always, so that is tried first. TLS and HTTP on top of it gain as well.

Twisted's reactor surrounds every single read with a logging context and checks that cost as much
as the ``recv``. So the connections are watched by an epoll of their own, which the reactor sees
as one descriptor: when it wakes, every connection that has something is read in one plain loop.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

_log = Logger()

#: Connections read before the reactor has its turn again.
MOST_AT_ONCE = 1024
#: Bytes of one connection read at once.
MOST_BYTES = 64 * 1024

#: Bytes of one connection that the kernel takes before they are on their way. What waits there
#: can't be replaced by anything newer, nor counted; by default it is megabytes.
MOST_UNSENT = 32 * 1024

#: One for all: a new one for each, and looking up what it is, costs microseconds.
_CLEANLY = Failure(CONNECTION_DONE)


def keep_little_unsent(listening: socket.socket) -> None:
    """Let the kernel take no more than ``MOST_UNSENT`` of each connection accepted here."""
    with suppress(OSError, AttributeError):  # where the system knows no such bound
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT)


def wave_on(reactor: IReactorFDSet) -> Wave | None:
    """A wave, where the system has epoll."""
    return Wave(reactor) if hasattr(select, "epoll") else None


@implementer(IReadDescriptor)
class Wave:
    """The connections that are read together. Linux only, as epoll is."""

    def __init__(self, reactor: IReactorFDSet) -> None:
        self._epoll = select.epoll()
        self._transports: dict[int, EagerServer] = {}
        self._reactor = reactor
        reactor.addReader(self)

    def close(self) -> None:
        """Watch nobody any more."""
        if self._epoll.closed:
            return
        self._reactor.removeReader(self)
        self._epoll.close()

    def add(self, transport: EagerServer) -> None:
        descriptor = transport.fileno()
        if descriptor not in self._transports:
            self._transports[descriptor] = transport
            self._epoll.register(descriptor, select.EPOLLIN)

    def remove(self, transport: EagerServer) -> None:
        descriptor = transport.fileno()
        if self._transports.get(descriptor) is transport:
            del self._transports[descriptor]
            if not self._epoll.closed:
                self._epoll.unregister(descriptor)

    # -- IReadDescriptor ---------------------------------------------------------------

    def fileno(self) -> int:
        return self._epoll.fileno()

    def doRead(self) -> None:
        transports = self._transports
        for descriptor, _ in self._epoll.poll(0, MOST_AT_ONCE):
            transport = transports.get(descriptor)
            if transport is None:  # stopped reading since
                continue
            try:
                why = transport.doRead()
            except Exception:
                _log.failure("a connection is dropped")
                why = CONNECTION_LOST
            if why is not None:
                transport.lost(why)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is stopping, and everything with it."""

    def logPrefix(self) -> str:
        return "-"


class EagerServer(tcp.Server):
    """An accepted connection; a listening ``tcp.Port`` makes them by its ``transport``."""

    #: Nobody else holds the socket, so closing it is enough.
    _shouldShutdown = False
    #: Bytes that wait here before the producer is paused: none. It holds them better itself.
    bufferSize = 0

    def __init__(self, *args: Any, wave: Wave | None) -> None:
        self._wave = wave
        super().__init__(*args)
        # Not left to Autobahn, whose option has no effect on a server (26.10.2): Nagle then
        # costs 40 ms at the 99th percentile.
        self.setTcpNoDelay(True)

    def startReading(self) -> None:
        if self._wave is None:
            super().startReading()
        else:
            self._wave.add(self)

    def stopReading(self) -> None:
        if self._wave is None:
            super().stopReading()
        else:
            self._wave.remove(self)

    def doRead(self) -> Any:
        """What Twisted's does, in one call instead of two."""
        try:
            data = self.socket.recv(MOST_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def lost(self, why: Exception) -> None:
        """What the reactor does when a read says that it was the last one."""
        self.stopReading()
        if isinstance(why, ConnectionDone):
            self.readConnectionLost(_CLEANLY)  # it may be half-closed only
        else:
            self.stopWriting()
            self.connectionLost(Failure(why))

    def write(self, data: bytes) -> None:
        if (
            self.dataBuffer
            or self._tempDataBuffer
            or self.TLS
            or not self.connected
            or self._writeDisconnected
        ):
            super().write(data)
            return
        try:
            sent = self.socket.send(data)
        except OSError:  # not now, or never: the reactor will find out which
            super().write(data)
            return
        if sent < len(data):
            super().write(data[sent:])

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))
