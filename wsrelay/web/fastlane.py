"""The common request, answered without twisted.web: whole, small, from a backend's library.

What is plainly written and has come in one piece is read here; whatever is not (a browser's
request, a body in pieces, any doubt about the head) is given to twisted.web together with the
rest of its connection, so that being right about HTTP stays twisted.web's. A publish takes a
third of the time this way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.protocols.policies import TimeoutMixin
from zope.interface import implementer

from ..eager import begin
from ..takeover import take_over
from .api import Api
from .exchange import Answer, Request, parse_query, somebody
from .site import RelaySite

_log = Logger()

#: Headers that change how a request is read or answered: not common.
_UNCOMMON = frozenset(
    (b"transfer-encoding", b"expect", b"upgrade", b"origin", b"te", b"trailer", b"connection")
)
_METHODS = (b"GET", b"POST")
_PHRASES = {int(status): status.phrase for status in HTTPStatus}
#: Of a body's length. Python (3.11) refuses to read a number of more than 4300.
_MOST_DIGITS = 10


def take_request(
    data: bytes, most_body: int, asker: Callable[[], str] = somebody
) -> tuple[Request, int] | None:
    """The common request that ``data`` begins with, and where it ends; ``None`` if there is none.

    Strict on purpose (RFC 9112): one spelling of everything, no folded lines, one length. What
    is refused here is not wrong, only not common.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end]
    start_line, *fields = head.split(b"\r\n")
    # No other ends of lines, which somebody on the way here may have read as such.
    if head.count(b"\r") != len(fields) or head.count(b"\n") != len(fields):
        return None
    parts = start_line.split(b" ")
    if len(parts) != 3 or parts[2] != b"HTTP/1.1" or parts[0] not in _METHODS:
        return None
    target = parts[1]
    if not target.startswith(b"/") or not target.isascii():
        return None
    length, has_length, has_host = 0, False, False
    for field in fields:
        name, colon, value = field.partition(b":")
        name = name.lower()
        if name == b"content-length" and not has_length:
            digits = value.strip(b" \t")
            if not digits.isdigit() or len(digits) > _MOST_DIGITS:
                return None
            length, has_length = int(digits), True
        elif name == b"host" and not has_host:
            has_host = True
        elif name == b"connection" and value.strip().lower() == b"keep-alive":
            continue
        elif (
            not colon
            or name in _UNCOMMON
            or name in (b"content-length", b"host")
            or not name.replace(b"-", b"").isalnum()
        ):
            return None
    body = end + 4
    if not has_host or length > most_body or len(data) < body + length:
        return None
    path, _, query = target.partition(b"?")
    return (
        Request(
            parts[0].decode(),
            path.decode(),
            parse_query(query.decode()),
            data[body : body + length],
            asker,
        ),
        body + length,
    )


def response(answer: Answer, date: str, *, is_last: bool = False) -> bytes:
    """An answer as it goes out (RFC 9112), in one piece."""
    extra = "".join([f"{name}: {value}\r\n" for name, value in answer.headers])
    if is_last:
        extra += "Connection: close\r\n"
    return (
        f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\n"
        f"Date: {date}\r\nContent-Type: {answer.content_type}\r\n{extra}"
        f"Content-Length: {len(answer.body)}\r\n\r\n"
    ).encode() + answer.body


@implementer(IPushProducer)
class FastLane(TimeoutMixin, Protocol):
    """One HTTP connection, as long as its requests are common ones."""

    transport: Any

    def __init__(self, lane: FastLaneFactory) -> None:
        self._lane = lane
        self._received = b""
        self._is_answering = False
        self._has_waited = False
        #: While what was answered is not read.
        self._is_full = False
        self._is_lost = False

    def callLater(self, period: float, func: Callable[[], None]) -> IDelayedCall:
        # TimeoutMixin's own (Twisted 26.10) takes the global reactor.
        return self._lane.slow.reactor.callLater(period, func)

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self.setTimeout(self._lane.idle_timeout)
        self._lane.slow.callers.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        self._take()

    def _take(self) -> None:
        """Answer the requests that are here, one after the other."""
        while self._received and not self._is_answering and not self._is_full:
            asker = partial(self._lane.slow.asker, self.transport, self._received)
            taken = take_request(self._received, self._lane.max_body_bytes, asker)
            if taken is None:
                self.setTimeout(None)
                self.transport.unregisterProducer()
                take_over(self._lane.slow, self.transport, self._received)
                self._lane.slow.callers.discard(self)
                return
            request, end = taken
            self._received = self._received[end:]
            self._answer(request)

    def _answer(self, request: Request) -> None:
        self._is_answering = True
        answer = begin(self._lane.api.respond(request))
        if isinstance(answer, Answer):
            self._send(answer)
            return
        answer.addCallback(self._send).addErrback(
            lambda failure: _log.failure("an answer was not sent", failure)
        )
        if self._is_answering:  # it waits for other nodes; one request at a time
            self._has_waited = True
            self.setTimeout(None)
            self.transport.pauseProducing()

    def _send(self, answer: Answer) -> None:
        self._is_answering = False
        if self._is_lost:
            return
        if self._lane.slow.callers.is_leaving:
            self._received = b""  # whoever asked more will ask again, elsewhere (RFC 9112, 9.3.2)
            self.transport.write(response(answer, self._lane.api.date(), is_last=True))
            self.hang_up()
            return
        self.transport.write(response(answer, self._lane.api.date()))
        self.setTimeout(self._lane.idle_timeout)
        if self._has_waited:
            self._has_waited = False
            self._go_on()

    def _go_on(self) -> None:
        if not self._is_answering and not self._is_full:
            self.transport.resumeProducing()
            self._take()

    def timeoutConnection(self) -> None:
        if self._is_full:  # what waits to be read would keep it open
            self.transport.abortConnection()
        else:
            self.hang_up()

    # -- IPushProducer: who does not read his answers is not asked for more requests --------

    def pauseProducing(self) -> None:
        self._is_full = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._is_full = False
        self._go_on()

    def stopProducing(self) -> None:
        """The connection is gone; ``connectionLost`` follows."""

    def connectionLost(self, reason: object = None) -> None:
        self._is_lost = True
        self.setTimeout(None)
        self._lane.slow.callers.discard(self)

    @property
    def is_asking(self) -> bool:
        return self._is_answering or bool(self._received)

    def hang_up(self) -> None:
        self.transport.unregisterProducer()  # for which TLS would wait (Twisted 26.10)
        self.transport.loseConnection()


class FastLaneFactory(Factory):
    """Stands before twisted.web."""

    noisy = False

    def __init__(
        self, api: Api, slow: RelaySite, *, max_body_bytes: int, idle_timeout: float
    ) -> None:
        self.api = api
        self.slow = slow
        self.max_body_bytes = max_body_bytes
        self.idle_timeout = idle_timeout

    def doStart(self) -> None:
        super().doStart()
        self.slow.doStart()

    def doStop(self) -> None:
        self.slow.doStop()
        super().doStop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return FastLane(self)
