"""How many descriptors the process may have, and what becomes of connections when they run out.

Each connection takes one. Short of the limit some are kept back: sockets are refused then (4100),
so that HTTP goes on, and whoever is connected stays so.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from typing import Any

from twisted.internet import tcp
from twisted.logger import Logger

from .core.connections import Connections
from .core.notices import Tally
from .sparingly import Sparingly

_log = Logger(namespace="wsrelay")

#: Below this the log says at the start how to have more.
PLENTY = 65536
#: What counts as the limit where there is none.
MOST = 1 << 30
#: Connections taken before the reactor has its turn again, or turned away.
MOST_AT_ONCE = 128
#: Seconds that a port rests when there is no descriptor for whoever knocks.
REST = 0.1
ADVICE = "LimitNOFILE= of systemd, or the hard limit of ulimit -Hn"


def raise_limit() -> int:
    """Have as many descriptors as the process may give itself; how many that are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # where the kernel allows less than it says (macOS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else MOST


class Descriptors:
    """Watches how many are in use, by the newest connection's: it has the lowest that is free."""

    def __init__(
        self, limit: int, connections: Connections, tally: Tally, clock: Callable[[], float]
    ) -> None:
        self.limit = limit
        #: From this one on, they are kept back.
        self.kept_back = limit - min(max(limit // 16, 32), 1024, limit // 4)
        self._connections = connections
        self._tally = tally
        self._on_scarcity, self._on_end = Sparingly(clock), Sparingly(clock)
        self._spare: int | None = None

    def say_limit(self) -> None:
        if self.limit < PLENTY:
            _log.info(
                "Connections are limited to about {many} by the number of descriptors; for "
                "more: {advice}",
                many=self.kept_back,
                advice=ADVICE,
            )

    def taken(self, descriptor: int) -> None:
        """The newest connection has this descriptor."""
        is_scarce = descriptor >= self.kept_back
        if is_scarce is not self._connections.is_full:
            self._connections.is_full = is_scarce
            if is_scarce:
                self._on_scarcity.warn(
                    "{many} of {limit} descriptors are in use: new sockets are refused (4100); for "
                    "more: {advice}",
                    many=descriptor,
                    limit=self.limit,
                    advice=ADVICE,
                )

    # -- when there is none left -----------------------------------------------------------

    def keep_spare(self) -> None:
        """Have one to give up when there is no other."""
        if self._spare is None:
            with suppress(OSError):
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def give_up_spare(self) -> bool:
        """Whether there was one, so that there is a descriptor now."""
        spare, self._spare = self._spare, None
        if spare is not None:
            os.close(spare)
        return spare is not None

    def turned_away(self, many: int, why: OSError) -> None:
        """So many were closed unanswered; perhaps none, and they wait."""
        self._tally.connections_turned_away += many
        self._on_end.warn(
            "no descriptor left ({why}): {many} connections closed unanswered; for more: {advice}",
            why=errno.errorcode.get(why.errno or 0, str(why)),
            many=many,
            advice=ADVICE,
        )

    def close(self) -> None:
        self.give_up_spare()


class Acceptor:
    """Accepts connections in the place of ``tcp.Port.doRead``.

    Twisted's own (26.10) writes a line for each connection that it closes for lack of
    descriptors, and when it lacks something else, or its spare one, it is called again at once,
    for ever.
    """

    def __init__(self, port: Any, descriptors: Descriptors) -> None:
        self._port = port
        self._descriptors = descriptors
        descriptors.keep_spare()

    def accept(self) -> None:
        """Take whoever waits, as far as there are descriptors for them."""
        listening = self._port.socket
        # Whoever closes a port that is shared asks for all (sharing).
        most = max(self._port.numberAccepts, MOST_AT_ONCE)
        self._port.numberAccepts = MOST_AT_ONCE
        for _ in range(most):
            try:
                connection, client = listening.accept()
            except BlockingIOError:
                return
            except (ConnectionAbortedError, PermissionError):  # gone again; kept out by a firewall
                continue
            except OSError as why:
                self._turn_away(why)
                return
            self._descriptors.taken(connection.fileno())
            try:
                self._welcome(connection, client)
            except Exception:
                _log.failure("a connection is dropped")
                connection.close()

    def _welcome(self, connection: socket, client: Any) -> None:
        port = self._port
        if isinstance(client, tuple) and any(client[3:]):  # Python leaves the link out
            client = tcp._getpeername(connection)
        protocol = port.factory.buildProtocol(port._buildAddr(client))
        if protocol is None:
            connection.close()
            return
        port.sessionno += 1
        transport = port.transport(connection, protocol, client, port, port.sessionno, port.reactor)
        protocol.makeConnection(transport)

    def _turn_away(self, why: OSError) -> None:
        """Close those who wait, that they hear something, and rest."""
        many = 0
        if why.errno == errno.EMFILE and self._descriptors.give_up_spare():
            with suppress(OSError):
                while many < MOST_AT_ONCE:
                    self._port.socket.accept()[0].close()
                    many += 1
        self._descriptors.keep_spare()
        self._descriptors.turned_away(many, why)
        self._port.stopReading()
        self._port.reactor.callLater(REST, self._resume)

    def _resume(self) -> None:
        if self._port.connected and not self._port.disconnecting:
            self._descriptors.keep_spare()
            self._port.startReading()
