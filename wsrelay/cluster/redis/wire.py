"""A connection to Redis: commands out, replies in, in the order of the commands.

txredisapi's protocol with hiredis reads; the row of waiting commands is ours. Its own (1.6.0)
makes two Deferreds and a queue's entry for every command, also for those that nobody waits for,
and has no bound. Its connecting is not used either: see ``link``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import hiredis
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure
from txredisapi import HiredisProtocol, ResponseError

#: Commands that may wait for their replies on one connection.
MOST_WAITING = 100_000
#: Bytes that may wait to be sent; past it nothing that may be lost is sent.
MOST_BYTES = 16 * 1024 * 1024


class Unreachable(Exception):
    """Redis can't be used now; the text says why and holds no secret."""


async def all_of(replies: Iterable[Deferred[Any]]) -> list[Any]:
    """What each of them brings; raises what the first one that failed did.

    Waiting for them one by one leaves those behind it alone, and a failure that nobody looks at
    ends in the log as a fault of ours.
    """
    outcomes: Any = await DeferredList(list(replies), consumeErrors=True)
    for is_good, outcome in outcomes:
        if not is_good:
            outcome.raiseException()
    return [outcome for _, outcome in outcomes]


def _ignore(words: str) -> None:
    pass


class Wire(HiredisProtocol):
    """One connection for commands. All that is sent in a turn leaves in one ``send``: Twisted's
    transports keep what is written until the reactor is back.
    """

    transport: Any

    def __init__(
        self,
        on_lost: Callable[[str], None] = _ignore,
        on_refused: Callable[[str], None] = _ignore,
    ) -> None:
        """``on_refused`` hears of every error that Redis answers, with its text."""
        super().__init__(charset=None, convertNumbers=False)
        self._on_lost = on_lost
        self._on_refused = on_refused
        self._waiting: deque[tuple[Deferred[Any] | None, int]] = deque()
        #: Whether anything at all has come; set back by whoever watches.
        self.has_heard = True
        #: Seconds in which nothing came.
        self.silence = 0.0
        self._bytes = 0
        self.is_lost = False

    def reach(self, endpoint: IStreamClientEndpoint) -> Deferred[Any]:
        """Become the connection to there."""
        factory = Factory.forProtocol(lambda: self)
        factory.noisy = False
        reached: Deferred[Any] = endpoint.connect(factory)
        return reached

    def connectionMade(self) -> None:
        self.connected = 1

    # -- out -------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """So much waits that what may be lost should be."""
        return len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_BYTES

    def call(self, *command: str | bytes | int | float) -> Deferred[Any]:
        """Send a command; the reply, or a failure with ``ResponseError`` or ``Unreachable``."""
        reply: Deferred[Any] = Deferred()
        if self.is_lost:
            reply.errback(Unreachable("the connection is lost"))
            return reply
        if len(self._waiting) >= MOST_WAITING:
            reply.errback(Unreachable(f"{MOST_WAITING} commands wait for Redis"))
            return reply
        self._send(command, reply)
        return reply

    def tell(self, *command: str | bytes | int | float) -> None:
        """Send a command whose reply is of no interest, unless it is an error."""
        if not self.is_lost:
            self._send(command, None)

    def _send(self, command: Any, to: Deferred[Any] | None) -> None:
        packed = hiredis.pack_command(command)
        self._waiting.append((to, len(packed)))
        self._bytes += len(packed)
        self.transport.write(packed)

    # -- in --------------------------------------------------------------------------------

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        self.has_heard = True
        reader: hiredis.Reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                self.replied(reply)
        except Exception as error:
            self.fail(f"not understood: {error!r}")

    def replied(self, reply: Any) -> None:
        """One whole reply."""
        if not self._waiting:
            return self.fail(f"a reply that nobody waits for: {reply!r:.80}")
        waiting, size = self._waiting.popleft()
        self._bytes -= size
        if isinstance(reply, ResponseError):
            self._on_refused(str(reply))
            if waiting is not None:
                waiting.errback(reply)
        elif waiting is not None:
            waiting.callback(reply)

    # -- the end ---------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        """Give the connection up."""
        if not self.is_lost:
            self._lose(reason)
            self.transport.abortConnection()

    def connectionLost(self, why: Failure = connectionDone) -> None:
        self.connected = 0
        if not self.is_lost:
            is_plain = why.check(ConnectionDone, ConnectionLost)
            error = f"{type(why.value).__name__}: {why.value}"  # of TLS, as a rule
            self._lose("the connection was closed" if is_plain else error[:200])

    def _lose(self, reason: str) -> None:
        self.is_lost = True
        waiting, self._waiting = self._waiting, deque()
        self._on_lost(reason)
        for each, _ in waiting:
            if each is not None:
                each.errback(Unreachable(reason))


class Ear(Wire):
    """A connection that is subscribed to channels."""

    def __init__(
        self,
        on_lost: Callable[[str], None],
        on_refused: Callable[[str], None],
        on_message: Callable[[bytes, bytes], None],
        on_torn: Callable[[], None],
    ) -> None:
        """``on_torn`` hears of a subscription that Redis has ended of its own."""
        super().__init__(on_lost, on_refused)
        self._on_torn = on_torn
        self._unsubscribing: set[bytes] = set()
        self._on_message = on_message
        self._subscribing: dict[bytes, list[Deferred[Any]]] = {}

    def replied(self, reply: Any) -> None:
        kind = reply[0] if type(reply) is list and reply else None
        if kind == b"message" or kind == b"smessage":
            self._on_message(reply[1], reply[2])
        elif kind == b"subscribe" or kind == b"ssubscribe":
            for waiting in self._subscribing.pop(reply[1], ()):
                waiting.callback(None)
        elif kind == b"unsubscribe" or kind == b"sunsubscribe":
            if reply[1] in self._unsubscribing:
                self._unsubscribing.discard(reply[1])
            else:
                self._on_torn()
        elif kind == b"pong" or (reply == b"PONG" and not self._waiting):
            pass
        else:  # before the first subscription, and errors
            super().replied(reply)

    def subscribe(self, name: bytes, command: str = "SUBSCRIBE") -> Deferred[Any]:
        """Fires when Redis has confirmed it."""
        confirmed: Deferred[Any] = Deferred()
        if self.is_lost:
            confirmed.errback(Unreachable("the connection is lost"))
        else:
            self._subscribing.setdefault(name, []).append(confirmed)
            self.say(command, name)
        return confirmed

    def unsubscribe(self, name: bytes, command: str = "UNSUBSCRIBE") -> None:
        self._unsubscribing.add(name)
        self.say(command, name)

    def say(self, *command: Any) -> None:
        """A command whose reply ``replied`` knows by its kind."""
        if not self.is_lost:
            self.transport.write(hiredis.pack_command(command))

    def _lose(self, reason: str) -> None:
        waiting, self._subscribing = self._subscribing, {}
        super()._lose(reason)
        for each in waiting.values():
            for one in each:
                one.errback(Unreachable(reason))
