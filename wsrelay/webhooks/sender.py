"""The only one who makes requests: one attempt to hand a delivery over, by HTTP or HTTPS.

Twisted's own ``Agent``, not treq: what treq adds to it (following redirects, cookies, decoding and
keeping the answer's body) are things that a webhook must not do, and the rest is this module.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HostnameCachingHTTPSPolicy,
    HTTPConnectionPool,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer

from .. import __version__
from ..core.apps import KB
from ..core.ports import CallLater
from .backlog import AT_ONCE, PostFailed
from .batch import Delivery
from .endpoint import AddressRefused, PublicEndpoint, TLSEndpoint
from .target import Target

#: Seconds for one attempt: looking up, connecting, sending and being answered.
TIMEOUT = 10.0
#: Seconds an unused connection is kept. Node.js closes them after 5, and a request that crosses
#: that farewell would be lost and have to be made again.
KEEP_ALIVE = 4
#: Bytes of an answer that are read, and thrown away, to keep its connection.
MOST_ANSWER_BYTES = 64 * KB
#: Hosts whose TLS settings are kept: making them reads all the trusted certificates.
MOST_TLS_HOSTS = 1000


Result = TypeVar("Result")


class Sender:
    """Makes the requests of all webhooks."""

    def __init__(
        self,
        reactor: Any,
        *,
        may_reach_private: bool,
        timeout: float = TIMEOUT,
        trust_root: Any = None,
    ) -> None:
        """``trust_root``: whose certificates count, as for ``optionsForClientTLS``."""
        self._reactor = reactor
        self._timeout = timeout
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = AT_ONCE
        self._pool.cachedConnectionTimeout = KEEP_ALIVE
        self._pool.retryAutomatically = False
        self._endpoints = _Endpoints(reactor, may_reach_private, timeout, trust_root)
        self._agent = Agent.usingEndpointFactory(reactor, self._endpoints, self._pool)
        self._under_way: set[Deferred[Any]] = set()
        self._is_closed = False

    async def post(self, target: Target, delivery: Delivery) -> None:
        """Return when the receiver answers with 2xx; raise ``PostFailed`` for all else."""
        if self._is_closed:
            raise PostFailed("was not asked any more: the relay is stopping")
        ends = self._reactor.seconds() + self._timeout
        try:
            response = await self._until(
                ends,
                self._agent.request(
                    b"POST", target.url, _headers(target, delivery), _Body(delivery.body)
                ),
            )
        except Exception as error:
            raise PostFailed(self._reason(error)) from error
        # Whether it was accepted is known by now, however the answer ends.
        discarding = _Discard(self._reactor.callLater)
        response.deliverBody(discarding)
        await self._until(ends, discarding.ended)
        if not 200 <= response.code < 300:
            raise PostFailed(_refusal(response.code))

    def permit_private(self, may_reach_private: bool) -> None:
        """Whether connections made from now on may go to private addresses."""
        self._endpoints.may_reach_private = may_reach_private

    async def close(self) -> None:
        """Break off what is under way, and close the connections."""
        self._is_closed = True
        for waiting in tuple(self._under_way):
            waiting.cancel()
        await self._pool.closeCachedConnections()

    def _until(self, ends: float, waiting: Deferred[Result]) -> Deferred[Result]:
        """Cancel it at ``ends``; then it fails with ``TimeoutError``, whatever it was doing."""
        self._under_way.add(waiting)

        def forget(result: Any) -> Any:
            self._under_way.discard(waiting)
            return result

        return waiting.addBoth(forget).addTimeout(
            max(0.0, ends - self._reactor.seconds()),
            self._reactor,
            lambda result, _: Failure(TimeoutError()) if isinstance(result, Failure) else result,
        )

    def _reason(self, error: BaseException) -> str:
        """What happened, to follow the name of the target; never holds what was sent."""
        reasons = getattr(error, "reasons", None)  # twisted.web's wrapping of failures
        if reasons:
            return self._reason(reasons[-1].value)
        if isinstance(error, AddressRefused):
            return f"may not be asked: {error}"
        if isinstance(error, TimeoutError):
            return f"did not answer within {self._timeout:g} s"
        if isinstance(error, ConnectionRefusedError):
            return "refuses connections"
        if isinstance(error, DNSLookupError):
            return "has a name that does not resolve"
        # Others may quote what the receiver said, which is not for the log.
        is_ours = type(error).__module__.startswith(("twisted.internet", "OpenSSL", "service_"))
        words = f" {error}"[:300] if is_ours else ""
        return f"could not be asked: {type(error).__name__}{words}"


def _headers(target: Target, delivery: Delivery) -> Headers:
    headers = Headers({b"User-Agent": [f"wsrelay/{__version__}".encode()]})
    for name, value in target.headers.items():
        headers.setRawHeaders(name.encode(), [value])
    # Without a charset: pusher for Node compares with exactly this.
    headers.setRawHeaders(b"Content-Type", [b"application/json"])
    headers.setRawHeaders(b"X-Pusher-Key", [target.app.key.encode()])
    headers.setRawHeaders(b"X-Pusher-Signature", [delivery.signature.encode()])
    return headers


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed, configure where they lead"
    return f"answered {status}, expected is 2xx"


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """How to connect to what a URL names."""

    def __init__(
        self, reactor: Any, may_reach_private: bool, timeout: float, trust_root: Any
    ) -> None:
        self._reactor = reactor
        self.may_reach_private = may_reach_private
        self._timeout = timeout
        self._tls = HostnameCachingHTTPSPolicy(
            BrowserLikePolicyForHTTPS(trust_root), MOST_TLS_HOSTS
        )

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        host = uri.host.decode("ascii")
        kind: Any = HostnameEndpoint if self.may_reach_private else PublicEndpoint
        endpoint: IStreamClientEndpoint = kind(self._reactor, host, uri.port, timeout=self._timeout)
        if uri.scheme == b"https":
            # Checks the certificate against the name of the URL, whatever address it has.
            endpoint = TLSEndpoint(self._tls.creatorForNetloc(uri.host, uri.port), endpoint)
        return endpoint


@implementer(IBodyProducer)
class _Body:
    """A request's body that is in memory. (``FileBodyProducer`` takes the global reactor.)"""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


class _Discard(Protocol):
    """Reads an answer's body away, and hangs up if that is long or takes long."""

    def __init__(self, call_later: CallLater) -> None:
        #: Fires when the body has ended or is no longer waited for; never fails.
        self.ended: Deferred[None] = Deferred(lambda _: self._hang_up())
        self._call_later = call_later
        self._left = MOST_ANSWER_BYTES

    def dataReceived(self, data: bytes) -> None:
        is_first_too_much = 0 <= self._left < len(data)
        self._left -= len(data)
        if is_first_too_much:
            # Not now: this may be the last of it, and the pool would keep a closing connection.
            self._call_later(0, self._hang_up)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()

    def _hang_up(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()  # nothing, when the answer has ended meanwhile
        self._end()

    def _end(self) -> None:
        if not self.ended.called:
            self.ended.callback(None)
