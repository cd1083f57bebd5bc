"""How an address is connected to: TCP, TLS with the server's name verified, or a unix socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import ssl
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from .address import Address

#: Seconds that a connection may take.
CONNECT_TIMEOUT = 3.0


def endpoints(reactor: Any, address: Address) -> Callable[[str, int], IStreamClientEndpoint]:
    """Endpoints for hosts and ports behind an address; its files are read once, now.

    Raises ``OSError`` or OpenSSL's error when a file can't be used.
    """
    if address.path:
        unix = UNIXClientEndpoint(reactor, address.path, timeout=CONNECT_TIMEOUT)
        return lambda host, port: unix
    trust = own = None
    if address.ca:
        trust = ssl.trustRootFromCertificates(_certificates(address.ca))
    if address.cert:
        own = ssl.PrivateCertificate.loadPEM(
            Path(address.cert).read_bytes() + b"\n" + Path(address.key).read_bytes()
        )

    def endpoint(host: str, port: int) -> IStreamClientEndpoint:
        plain = HostnameEndpoint(reactor, host, port, timeout=CONNECT_TIMEOUT)
        if not address.is_tls:
            return plain
        options = ssl.optionsForClientTLS(host, trustRoot=trust, clientCertificate=own)
        return wrapClientTLS(options, plain)

    return endpoint


def _certificates(path: str) -> list[ssl.Certificate]:
    end = b"-----END CERTIFICATE-----"
    pieces = Path(path).read_bytes().split(end)[:-1]
    return [ssl.Certificate.loadPEM(piece + end) for piece in pieces]
