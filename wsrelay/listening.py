"""Where the relay listens, and what is said when it can't."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from functools import partial
from weakref import WeakSet

from twisted.internet import tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import (
    AdoptedStreamServerEndpoint,
    quoteStringArgument,
    serverFromString,
)
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from .descriptors import Acceptor, Descriptors
from .edge.gate import GateFactory
from .sharing import SharedPort
from .transport import EagerServer, Wave, keep_little_unsent

BACKLOG = 4096

_inherited: WeakSet[object] = WeakSet()


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
    descriptors: Descriptors | None = None,
) -> list[IListeningPort]:
    """Listen on every endpoint, or on none: ``CannotStart`` if one of them can't be had."""
    ports: list[IListeningPort] = []
    for description in descriptions:
        try:
            endpoint = serverFromString(reactor, description)
            is_adopted = _adopt(endpoint)
        except Exception as error:  # whatever the parser of that kind of endpoint raises
            raise CannotStart(f"--listen {description}: {_why_not(description, error)}") from error
        outcome: list[IListeningPort | Failure] = []
        endpoint.listen(factory).addBoth(outcome.append)
        port = outcome[0]
        if isinstance(port, Failure):
            if ports and _is_missing_ipv6(port):
                continue
            for opened in ports:
                opened.stopListening()
            raise _explained(description, port)
        serve(port, wave, descriptors, outlives=is_adopted)
        ports.append(port)
    return ports


def serve(
    port: IListeningPort, wave: Wave | None, descriptors: Descriptors | None, *, outlives: bool
) -> None:
    """Have its connections read in waves, and counted; ``outlives``: the socket is another's."""
    if type(port) is tcp.Port or isinstance(port, SharedPort):
        port.transport = partial(EagerServer, wave=wave)  # type: ignore[assignment]
        keep_little_unsent(port.socket)
    if descriptors is not None and isinstance(port, tcp.Port):
        port.doRead = Acceptor(port, descriptors).accept  # type: ignore[method-assign]
    if outlives:
        _inherited.add(port)


def _why_not(description: str, error: Exception) -> str:
    if description.startswith("systemd:") and isinstance(error, LookupError):
        # Twisted (26.10) takes none where there are no names, as with systemd-socket-activate.
        return "no such socket was inherited, with a name (LISTEN_FDS, LISTEN_FDNAMES)"
    return f"not an endpoint Twisted knows ({error})"


def _adopt(endpoint: object) -> bool:
    """Whether it is a socket that the service manager made (``systemd:``)."""
    if not isinstance(endpoint, AdoptedStreamServerEndpoint):
        return False
    with socket.socket(fileno=os.dup(endpoint.fileno)) as inherited:
        # ListenStream=6001 makes an IPv6 socket, and Twisted (26.10), told domain=INET, fails at
        # each connection: the socket itself knows better.
        endpoint.addressFamily = inherited.family
    return True


def is_inherited(port: object) -> bool:
    """Whether the listening socket is the service manager's, and outlives this process."""
    return port in _inherited


def leave(port: IListeningPort) -> object:
    """Listen no more. An inherited socket stays as it is, with all that waits in its queue."""
    if is_inherited(port) and isinstance(port, unix.Port):
        port._bindPath = b"\0"  # Twisted (26.10) removes the file, though the socket lives on
    return port.stopListening()


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
    factory = getattr(port, "factory", None)
    if isinstance(factory, GateFactory):
        factory = factory.behind
    return isinstance(factory, TLSMemoryBIOFactory)


def endpoint_of(port: IListeningPort) -> str:
    """``tcp 127.0.0.1:6001``, ``tls [::1]:6443`` or ``unix /run/wsrelay.sock``, for scripts."""
    address = port.getHost()
    kind = "unix" if isinstance(address, UNIXAddress) else "tcp"
    return f"{'tls' if is_tls(port) else kind} {_name_of(address)}"


def name_of(port: IListeningPort) -> str:
    """``127.0.0.1:6001``, ``[::1]:6001`` or a socket's path, and what is spoken there.

    That is ``(TLS)``, ``(PROXY)`` or ``(PROXY) (TLS)``.
    """
    is_gate = isinstance(getattr(port, "factory", None), GateFactory)
    return (
        _name_of(port.getHost())
        + (" (PROXY)" if is_gate else "")
        + (" (TLS)" if is_tls(port) else "")
    )


def _name_of(address: IAddress) -> str:
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, UNIXAddress):
        return str(address.name, "utf-8", "replace") if address.name else "unix"
    return str(address)
