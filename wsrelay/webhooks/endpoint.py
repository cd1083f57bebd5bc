"""Connecting to a name, but to no address that webhooks may not reach.

The addresses are judged where they come out of the resolver, and the connection is made to one of
those that passed: between the look and the leap nothing is looked up again.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from .addresses import refusal_of


class AddressRefused(Exception):
    """A name has no address that may be connected to. The text is fit for the operator."""


@implementer(IStreamClientEndpoint)
class PublicEndpoint:
    """Connects to one of the public addresses of a host, as fast as ``HostnameEndpoint`` does."""

    def __init__(self, reactor: Any, host: str, port: int, timeout: float) -> None:
        """``timeout`` (seconds) holds for each address."""
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        refused: list[str] = []

        def explain(failure: Failure) -> Failure:
            failure.trap(DNSLookupError)  # so none of its addresses passed
            return Failure(AddressRefused(refused[0])) if refused else failure

        reactor = _WithResolver(self._reactor, _PublicOnly(self._reactor.nameResolver, refused))
        endpoint = HostnameEndpoint(reactor, self._host, self._port, self._timeout)
        return endpoint.connect(protocolFactory).addErrback(explain)


@implementer(IReactorPluggableNameResolver)
class _WithResolver:
    """What ``HostnameEndpoint`` needs of a reactor, with another resolver."""

    def __init__(self, reactor: Any, resolver: IHostnameResolver) -> None:
        self.nameResolver = resolver
        self.seconds = reactor.seconds
        self.callLater = reactor.callLater
        self.connectTCP = reactor.connectTCP

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError


@implementer(IHostnameResolver)
class _PublicOnly:
    """A resolver that keeps to itself the addresses that may not be connected to."""

    def __init__(self, resolver: IHostnameResolver, refused: list[str]) -> None:
        self._resolver = resolver
        self._refused = refused

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, hostName: str, *args: Any, **options: Any
    ) -> IHostResolution:
        sieve = _Sieve(resolutionReceiver, hostName, self._refused)
        return self._resolver.resolveHostName(sieve, hostName, *args, **options)


@implementer(IResolutionReceiver)
class _Sieve:
    def __init__(self, receiver: IResolutionReceiver, host: str, refused: list[str]) -> None:
        self._receiver = receiver
        self._host = host
        self._refused = refused
        self.resolutionBegan = receiver.resolutionBegan
        self.resolutionComplete = receiver.resolutionComplete

    def addressResolved(self, address: IAddress) -> None:
        host = address.host  # type: ignore[attr-defined]
        kind = refusal_of(host)
        if kind is None:
            self._receiver.addressResolved(address)
        else:
            self._refused.append(
                f"{self._host} leads to {host}, a {kind} address, to which webhooks are sent "
                "only with webhook_private_addresses = true"
            )


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """TLS over another endpoint's connections; ``creator`` knows the name to be checked."""

    def __init__(
        self, creator: IOpenSSLClientConnectionCreator, endpoint: IStreamClientEndpoint
    ) -> None:
        self._creator = creator
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        factory = TLSMemoryBIOFactory(self._creator, True, protocolFactory)
        factory.protocol = _PromptlyClosed
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting.addCallback(lambda tls: tls.wrappedProtocol)


class _PromptlyClosed(BufferingTLSTransport):
    """Does not wait for the peer's farewell, as Twisted's own does (26.10) without end: a peer
    that sends none would keep every connection, and with them this process's descriptors.
    """

    def loseConnection(self) -> None:
        super().loseConnection()
        if self.transport is not None:
            self.transport.loseConnection()
