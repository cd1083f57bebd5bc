"""Several processes on one port (Linux, SO_REUSEPORT), and how one of them leaves it unnoticed.

The kernel deals new connections out among the sockets that listen on one address. Each has its own
queue of those that are not accepted yet, and when it closes, the kernel resets them. So who leaves
has the connections to come dealt to the others first, by a classic BPF program, which needs no
privilege (socket(7), SO_ATTACH_REUSEPORT_CBPF); then it accepts what its queue holds, and closes.
The program would stay with the group, whose members have other places when one is gone, so it is
taken away just before, and connections are dealt to all for that moment. Whoever leaves is deaf
to them (SO_ATTACH_FILTER): a client that hears nothing asks again after a second, one that is
reset does not.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

_log = Logger(namespace="wsrelay")

# <asm-generic/socket.h>; Python (3.14) does not have them.
SO_ATTACH_REUSEPORT_CBPF = 51
SO_DETACH_REUSEPORT_BPF = 68
SO_ATTACH_FILTER = 26

#: A state of TCP in /proc/net/tcp.
_LISTENING = "0A"
#: Connections that a socket accepts at once, when all have to be accepted: more than any queue.
_ALL = 1 << 20
#: Milliseconds that a connection to this machine's own port may take.
_PROBE_TIMEOUT = 200

_Instruction = tuple[int, int, int, int]
_RETURN_A = (0x16, 0, 0, 0)
_LOAD_RANDOM = (0x20, 0, 0, 0xFFFFF038)  # SKF_AD_OFF + SKF_AD_RANDOM


def always(index: int) -> list[_Instruction]:
    """The program that deals every connection to the socket with this index in its group."""
    return [(0x06, 0, 0, index)]


def anybody_but(those: Iterable[int], others: int) -> list[_Instruction]:
    """The program that deals to one of the ``others`` by chance, never to one of ``those``."""
    program = [_LOAD_RANDOM, (0x94, 0, 0, others)]  # A %= others
    for index in sorted(those):
        program += [
            (0x35, 0, 1, index),  # if A >= index
            (0x04, 0, 0, 1),  # A += 1
        ]
    return [*program, _RETURN_A]


#: The program that lets no packet in.
NOTHING: list[_Instruction] = [(0x06, 0, 0, 0)]


def attach(
    listening: socket.socket, program: list[_Instruction], to: int = SO_ATTACH_REUSEPORT_CBPF
) -> None:
    """Have the group of this socket deal by ``program``. Raises ``OSError``."""
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in program))
    listening.setsockopt(
        socket.SOL_SOCKET,
        to,
        struct.pack("HP", len(program), ctypes.addressof(instructions)),
    )


def listeners(listening: socket.socket) -> int:
    """How many sockets listen on the address of this one, itself included. Raises ``OSError``."""
    host, port = listening.getsockname()[:2]
    packed = socket.inet_pton(listening.family, host)
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    place = "".join(f"{word:08X}" for word in words) + f":{port:04X}"
    found = 0
    table = "tcp6" if listening.family == socket.AF_INET6 else "tcp"
    # Through /proc/self, which is there in a unit with ProcSubset=pid too.
    with open(f"/proc/self/net/{table}") as rows:
        next(rows)
        for row in rows:
            _, local, _, state, *_ = row.split()
            if state != _LISTENING:  # those come first
                break
            found += local == place
    return found


class SharedPort(tcp.Port):
    """A listening port whose address other processes of the same user may listen on as well."""

    def __init__(
        self, port: int, factory: IProtocolFactory, backlog: int, interface: str, reactor: Any
    ) -> None:
        binding: Any = tcp.makeBinding(interface, port, reuseAddress=True, reusePort=True)
        super().__init__(binding, factory, backlog, interface, reactor)

    def steer_away(self) -> bool:
        """Have all connections to come dealt to the others; False where nobody else listens.

        Those that have been dealt already are still accepted.
        """
        try:
            many = listeners(self.socket)
            index = self._index(many) if many > 1 else None
            if index is None:
                return False
            attach(self.socket, anybody_but([index], many - 1))
        except OSError as error:
            _log.warn("connections can't be dealt to the other processes: {error}", error=error)
            self._detach()
            return False
        return True

    def _index(self, many: int) -> int | None:
        """Which place this socket has in its group: found out by connections of our own."""
        for index in range(many):
            attach(self.socket, always(index))
            if self._is_reached():
                return index
        self._detach()
        return None

    def _is_reached(self) -> bool:
        """Whether a connection comes in here that is made now."""
        host, port = self.socket.getsockname()[:2]
        callers = []
        transport = self.transport

        def note(accepted: Any, protocol: Any, address: Any, *rest: Any) -> Any:
            callers.append(address[:2])
            return transport(accepted, protocol, address, *rest)

        with socket.socket(self.addressFamily) as probe:
            probe.setblocking(False)
            probe.connect_ex((_LOOPBACK.get(host, host), port))
            connecting = select.poll()  # select() takes no descriptor above 1023
            connecting.register(probe, select.POLLOUT)
            connecting.poll(_PROBE_TIMEOUT)
            self.transport = note  # type: ignore[assignment]
            try:
                self._accept_all()
            finally:
                self.transport = transport
            return probe.getsockname()[:2] in callers

    def _accept_all(self) -> None:
        self.numberAccepts = _ALL
        self.doRead()

    def _detach(self) -> None:
        with suppress(OSError):  # there was none
            self.socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)

    def _closeSocket(self, orderly: bool) -> None:
        self._accept_all()
        with suppress(OSError):  # then those of this moment are reset
            attach(self.socket, NOTHING, SO_ATTACH_FILTER)
        self._detach()
        self._accept_all()
        super()._closeSocket(orderly)


_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class SharingReactor:
    """The reactor, but for its TCP ports: those are shared."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> SharedPort:
        shared = SharedPort(port, factory, backlog, interface, self._reactor)
        shared.startListening()
        return shared
