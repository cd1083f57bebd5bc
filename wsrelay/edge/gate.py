"""A port behind proxies: every connection begins with the header that says whom it speaks for.

In front of everything else, TLS included (``send-proxy-v2`` to a TLS listener), and gone with the
header: from then on the connection is as one that the client made himself.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address as V4
from typing import Any

from twisted.internet import address
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol

from ..takeover import take_over
from .proxy_header import Malformed, Source, take_header
from .trust import UNIX, Trusted, plain


class Gate(Protocol):
    """Reads the header, then hands the connection over."""

    factory: GateFactory
    transport: Any

    def __init__(self) -> None:
        self._read = b""

    def connectionMade(self) -> None:
        self._deadline = self.factory.clock.callLater(self.factory.timeout, self._give_up)

    def dataReceived(self, data: bytes) -> None:
        self._read += data
        try:
            header = take_header(self._read)
        except Malformed as fault:
            self._refuse(str(fault))
            return
        if header is None:
            return
        self._deadline.cancel()
        if header.source is not None:
            _speak_for(self.transport, header.source)
        take_over(self.factory.behind, self.transport, self._read[header.length :])

    def _give_up(self) -> None:
        self._refuse(f"no whole PROXY header within {self.factory.timeout:g} s (handshake_timeout)")

    def _refuse(self, why: str) -> None:
        self.factory.refused(_host(self.transport.getPeer()), why)
        self.transport.abortConnection()

    def connectionLost(self, reason: object = None) -> None:
        if self._deadline.active():
            self._deadline.cancel()


class _Stranger(Protocol):
    """Closed at once."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class GateFactory(Factory):
    """Stands at a port with ``proxy_protocol``, and lets in only whom the trusted bring."""

    noisy = False

    def __init__(
        self,
        behind: IProtocolFactory,
        trusted: Trusted,
        clock: IReactorTime,
        *,
        timeout: float,
        refused: Callable[[str, str], None],
    ) -> None:
        #: Builds the protocols of those who were let in.
        self.behind = behind
        self.clock = clock
        self.timeout = timeout
        #: Told the address of whoever connected, and why he was turned away.
        self.refused = refused
        self._trusted = trusted

    def doStart(self) -> None:
        super().doStart()
        self.behind.doStart()

    def doStop(self) -> None:
        self.behind.doStop()
        super().doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        host = _host(addr)
        if not self._trusted.holds(host):
            self.refused(host, "it is not one of trusted_proxies")
            return _Stranger()
        gate = Gate()
        gate.factory = self
        return gate


def _host(peer: Any) -> str:
    return getattr(peer, "host", UNIX)


def _speak_for(transport: Any, source: Source) -> None:
    """From now on, the transport names the client as its peer."""
    host = plain(source.host)
    kind = address.IPv4Address if isinstance(host, V4) else address.IPv6Address
    told = kind("TCP", str(host), source.port)
    transport.getPeer = lambda: told
