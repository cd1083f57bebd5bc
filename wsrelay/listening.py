"""Where the relay listens, and what is said when it can't."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from functools import partial

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from .transport import EagerServer, Wave

BACKLOG = 4096


class CannotStart(SystemExit, Exception):
    """The relay can't start; its text is one line for the person at the terminal.

    A ``SystemExit``, so that ``twistd -n`` and ``twist`` print that line instead of a traceback
    and exit with status 1; an ``Exception``, so that a daemonizing ``twistd`` (26.10) hands it
    to the waiting parent, which exits with status 1 as well.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"wsrelay: {message}")


def listen(
    reactor: object,
    descriptions: Sequence[str],
    factory: IProtocolFactory,
    wave: Wave | None,
) -> list[IListeningPort]:
    """Listen on every endpoint, or on none: ``CannotStart`` if one of them can't be had."""
    ports: list[IListeningPort] = []
    transport = partial(EagerServer, wave=wave)
    for description in descriptions:
        try:
            endpoint = serverFromString(reactor, description)
        except Exception as error:  # whatever the parser of that kind of endpoint raises
            raise CannotStart(
                f"--listen {description}: not an endpoint Twisted knows ({error})"
            ) from error
        outcome: list[IListeningPort | Failure] = []
        endpoint.listen(factory).addBoth(outcome.append)
        port = outcome[0]
        if isinstance(port, Failure):
            if ports and _is_missing_ipv6(port):
                continue
            for opened in ports:
                opened.stopListening()
            raise _explained(description, port)
        if type(port) is tcp.Port:
            port.transport = transport  # type: ignore[assignment]
        ports.append(port)
    return ports


def _is_missing_ipv6(failure: Failure) -> bool:
    """A machine without IPv6 serves IPv4 alone."""
    error = failure.value
    return (
        isinstance(error, CannotListenError)
        and ":" in str(error.interface)
        and error.socketError.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    )


def _explained(description: str, failure: Failure) -> CannotStart:
    error = failure.value
    if not isinstance(error, CannotListenError):
        return CannotStart(f"can't listen on {description}: {failure.getErrorMessage()}")
    code = getattr(error.socketError, "errno", None)
    if code == errno.EADDRINUSE:
        # A daemonizing twistd (26.10) shows 100 bytes, and some of them are the exception's name.
        return CannotStart(f"port {error.port} is taken; its owner: ss -ltnp sport = :{error.port}")
    if code == errno.EACCES:
        return CannotStart(f"port {error.port} needs privileges: choose one above 1023")
    return CannotStart(f"can't listen on {description}: {error.socketError}")


def any_address() -> str:
    """The address that means all interfaces: IPv6's serves IPv4 as well, where there is IPv6."""
    try:
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True):
            return "::"
    except (OSError, ValueError):
        return "0.0.0.0"


def tcp_endpoint(host: str, port: int) -> str:
    """The description of a TCP endpoint; a host with colons is IPv6."""
    kind = "tcp6" if ":" in host else "tcp"
    return f"{kind}:{port}:interface={quoteStringArgument(host)}:backlog={BACKLOG}"


def is_tls(port: IListeningPort) -> bool:
    """Whether TLS is spoken there."""
    return isinstance(getattr(port, "factory", None), TLSMemoryBIOFactory)


def endpoint_of(port: IListeningPort) -> str:
    """``tcp 127.0.0.1:6001``, ``tls [::1]:6443`` or ``unix /run/wsrelay.sock``, for scripts."""
    address = port.getHost()
    kind = "unix" if isinstance(address, UNIXAddress) else "tcp"
    return f"{'tls' if is_tls(port) else kind} {_name_of(address)}"


def name_of(port: IListeningPort) -> str:
    """``127.0.0.1:6001``, ``[::1]:6001`` or a socket's path; ``... (TLS)`` where that is spoken."""
    return _name_of(port.getHost()) + (" (TLS)" if is_tls(port) else "")


def _name_of(address: IAddress) -> str:
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, UNIXAddress):
        return str(address.name, "utf-8", "replace") if address.name else "unix"
    return str(address)
