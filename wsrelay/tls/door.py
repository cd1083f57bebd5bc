"""One TLS listener: which certificate is shown to whom, and how a connection is closed."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.x509 import Certificate
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IDelayedCall,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ..config.settings import TlsListener
from .failures import Failures
from .pair import Pair
from .profile import new_context
from .records import RecordProtocol

#: Seconds that a client has to answer our goodbye (``close_notify``).
FAREWELL = 5.0


@implementer(IOpenSSLServerConnectionCreator)
class TlsDoor:
    """Begins connections with the certificate of the name that the client asks for (RFC 6066, 3).

    A context that was in use can't be changed (pyOpenSSL 26), so new certificates mean new
    contexts. Connections keep the one that they began with.
    """

    def __init__(self, settings: TlsListener) -> None:
        self.settings = settings
        self._default: SSL.Context
        self._by_name: dict[str, SSL.Context] = {}

    def show(self, pairs: Sequence[Pair], authorities: Sequence[Certificate]) -> None:
        """Show these certificates from now on, the first to whoever asks for none of them."""
        by_name: dict[str, SSL.Context] = {}
        contexts = []
        for pair in pairs:
            context = new_context(
                pair,
                self.settings.minimum_version,
                authorities,
                requires_client_certificate=not self.settings.client_certificate_is_optional,
            )
            context.set_tlsext_servername_callback(self._choose)
            contexts.append(context)
            for name in pair.names:
                by_name.setdefault(name, context)
        self._default, self._by_name = contexts[0], by_name

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower().rstrip(".")
        _, _, parent = name.partition(".")
        context = self._by_name.get(name) or self._by_name.get(f"*.{parent}")
        if context is not None:
            connection.set_context(context)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._default, None)

    def factory(
        self, behind: IProtocolFactory, clock: IReactorTime, failures: Failures
    ) -> TLSMemoryBIOFactory:
        """What listens: ``behind`` builds the protocols that get what was decrypted."""
        return _TlsFactory(self, behind, clock, failures)


class _TlsFactory(TLSMemoryBIOFactory):
    def __init__(
        self,
        door: TlsDoor,
        behind: IProtocolFactory,
        clock: IReactorTime,
        failures: Failures,
    ) -> None:
        super().__init__(door, False, behind, clock)
        self.protocol = _TlsConnection
        self.failures = failures


class _TlsConnection(RecordProtocol):
    """A connection that is encrypted, and that ends when it is told to.

    Twisted's usual one (26.10) gathers small writes until the next turn of the reactor, which
    the outbox has done already.
    """

    factory: _TlsFactory
    _farewell: IDelayedCall | None = None

    def makeConnection(self, transport: ITransport) -> None:
        self.factory.failures.began()
        super().makeConnection(transport)

    def loseConnection(self) -> None:
        if not self.connected or self.disconnecting:
            return
        # Twisted (26.10) would wait for a producer with nothing more to say, which TCP does not:
        # twisted.web leaves one behind when it hangs up on a line that does not end.
        if self._producer is not None and not self._producer._producerPaused:
            self.unregisterProducer()
        super().loseConnection()
        # It would also wait for ever for the client's answer to close_notify. Nobody has to wait
        # for that (RFC 8446, 6.1); waiting a little spares him a reset.
        self._farewell = self.factory._clock.callLater(FAREWELL, self._leave)

    def _leave(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        if self.connected:  # Twisted's own raises AttributeError once it is gone
            super().abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._farewell is not None and self._farewell.active():
            self._farewell.cancel()
        if not self._handshakeDone:
            peer = getattr(self.getPeer(), "host", "unix")
            self.factory.failures.failed(peer, (self._reason or reason).value)
        super().connectionLost(reason)
