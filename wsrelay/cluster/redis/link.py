"""Being connected to one Redis: what is up, what is down and why, and coming back.

    state      | becomes
    -----------|-------------------------------------------------------------------------------
    DOWN       | CONNECTING after a pause, again and again, for ever
    CONNECTING | UP when both connections stand, may write, and know the scripts; else DOWN
    UP         | DOWN when one connection is lost, is silent, or Redis may not be written to

txredisapi's own reconnecting (1.6.0) ends for good when a connection is lost while it
authenticates, which a restart behind a proxy is enough for, so none of it is used.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from enum import Enum, auto
from random import random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.logger import Logger
from txredisapi import ResponseError

from .address import Address
from .reasons import AWAY, unreachable, words
from .script import Script
from .wire import Ear, Unreachable, Wire

_log = Logger()

#: Seconds before the first attempt to come back; each further one is twice as long.
FIRST_PAUSE = 0.1
#: Seconds before an attempt at the most; and how much of a pause is left to chance.
LONGEST_PAUSE = 1.0
JITTER = 0.5
#: Seconds in which something has to be heard on either connection, and how often it is asked for.
SILENCE = 3.0
PING = 1.0


class State(Enum):
    DOWN = auto()
    CONNECTING = auto()
    UP = auto()


class Link:
    """One Redis by two connections: one for commands, one that listens."""

    def __init__(
        self,
        reactor: Any,
        address: Address,
        endpoint: Callable[[], IStreamClientEndpoint],
        *,
        scripts: Sequence[Script],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        on_message: Callable[[bytes, bytes], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        on_torn: Callable[[], None] = lambda: None,
        is_right: Callable[[], Awaitable[bool | None]] | None = None,
    ) -> None:
        """``on_torn`` hears of a subscription that Redis has ended of its own. ``is_right`` is
        asked at once and every second whether this is the Redis to be linked to; ``None``: nobody
        can say. It may raise.
        """
        self._reactor = reactor
        self._address = address
        self._endpoint = endpoint
        self._scripts = scripts
        self._on_up = on_up
        self._on_down = on_down
        self._on_message = on_message
        self._spawn = spawn
        self._on_torn = on_torn
        self._is_right = is_right
        #: It may not be the right one, or not any more: nobody has said so since it was reached, or
        #: was silent.
        self._is_doubtful = False
        self.state = State.DOWN
        self.reason = "not connected yet"
        self._is_stopped = True
        self._attempts = 0
        self._timer: IDelayedCall | None = None
        self._wires: list[Wire] = []
        self._commands: Wire
        self._ear: Ear
        self._attempt: Deferred[Any] | None = None

    #: The command that publishes.
    publishing = "PUBLISH"

    @property
    def is_full(self) -> bool:
        return self.is_up and self._commands.is_full

    @property
    def is_up(self) -> bool:
        return self.state is State.UP

    def start(self) -> None:
        self._is_stopped = False
        self._connect()

    def stop(self) -> None:
        """Leave; whoever waits is told that Redis is unreachable."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._attempt is not None:
            self._attempt.cancel()
        self._lose("the relay is stopping")

    # -- connecting ------------------------------------------------------------------------

    def _connect(self) -> None:
        self.state = State.CONNECTING
        deadline = self._reactor.callLater(SILENCE, self._lose, f"no answer within {SILENCE:g} s")
        self._timer = deadline
        self._spawn(self._come_up(deadline))

    async def _come_up(self, deadline: IDelayedCall) -> None:
        try:
            commands = await self._opened(Wire(self._lose, self._refused))
            ear = await self._opened(
                Ear(self._lose, self._refused, self._on_message, self._on_torn)
            )
            await self._call_checked(commands)
        except Exception as error:
            # A connection that failed has told its reason already; others tell it here.
            self._lose(words(error))
            return
        if self.state is not State.CONNECTING:
            return
        if deadline.active():
            deadline.cancel()
        self._commands, self._ear = commands, ear
        self.state, self._attempts = State.UP, 0
        _log.info("Redis {address} is reached", address=self._address)
        self._timer = self._reactor.callLater(PING, self._ask)
        self._is_doubtful = self._is_right is not None
        self._on_up()
        self._make_sure()

    async def _opened(self, wire: Wire) -> Any:
        self._attempt = wire.reach(self._endpoint())
        try:
            await self._attempt
        finally:
            self._attempt = None
        if self.state is not State.CONNECTING:
            wire.fail("too late")
            raise Unreachable("too late")
        self._wires.append(wire)
        address = self._address
        if address.credentials:
            await wire.call("AUTH", *address.credentials)
        if address.database:
            await wire.call("SELECT", address.database)
        return wire

    async def _call_checked(self, wire: Wire) -> None:
        role = await wire.call("ROLE")
        if role[0] != b"master":
            raise Unreachable(AWAY["READONLY"])
        for script in self._scripts:
            await wire.call("SCRIPT", "LOAD", script.text)

    # -- losing ----------------------------------------------------------------------------

    def _refused(self, error: str) -> None:
        code = error.partition(" ")[0]
        if code in AWAY:
            self._lose(AWAY[code])
        elif self.state is State.UP:
            _log.error("Redis {address} answers: {error}", address=self._address, error=error)

    def _lose(self, reason: str) -> None:
        """Down from now on; both connections are given up."""
        if self.state is State.DOWN:
            return
        was_up, self.state = self.is_up, State.DOWN
        if reason != self.reason or was_up:
            self.reason = reason
            if not self._is_stopped:
                _log.error("Redis {a} is away: {reason}", a=self._address, reason=reason)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.fail(reason)
        if self._attempt is not None:
            self._attempt.cancel()
        if not self._is_stopped:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._attempts)
            self._attempts = min(self._attempts + 1, 10)
            pause *= 1 - JITTER * random()
            self._timer = self._reactor.callLater(pause, self._connect)
        self._on_down(reason)

    def _ask(self) -> None:
        """Half-open connections are silent: ask on both, and give up when one stays so."""
        for wire in (self._commands, self._ear):
            wire.silence = 0.0 if wire.has_heard else wire.silence + PING
            if wire.silence >= SILENCE:
                self._lose(f"silent for {SILENCE:g} s (paused, or half-open)")
                return
            if self._is_right is not None and wire.silence:
                self._is_doubtful = True
            wire.has_heard = False
        self._timer = self._reactor.callLater(PING, self._ask)
        self._commands.tell("PING")
        self._ear.say("PING")
        self._make_sure()

    def _make_sure(self) -> None:
        if self._is_right is not None:
            self._spawn(self._judge(self._is_right()))

    async def _judge(self, asked: Awaitable[bool | None]) -> None:
        """Leave a Redis that was replaced; one that is not is trusted when it speaks again."""
        commands = self._commands
        try:
            is_right = await asked
        except Exception:
            return  # nobody knows better
        if self.is_up and commands is self._commands:
            if is_right is None:
                self._is_doubtful = True
            elif not is_right:
                self._lose("another master has taken its place")
            elif not any(wire.silence for wire in self._wires):
                self._is_doubtful = False

    # -- using -----------------------------------------------------------------------------

    def call(self, *command: str | bytes | int | float) -> Deferred[Any]:
        """The reply; fails with ``Unreachable``, or ``ResponseError`` for a mistake of ours."""
        if not self.is_up:
            failed: Deferred[Any] = Deferred()
            failed.errback(Unreachable(self.reason))
            return failed
        return self._commands.call(*command)

    def run(self, script: Script, *arguments: str | bytes | int | float) -> Deferred[Any]:
        """Run a script with one key, the first argument.

        Fails with ``Unreachable``, also when the script did: nothing else helps then either.
        """
        return self.call("EVALSHA", script.sha, 1, *arguments).addErrback(unreachable)

    def tell(self, *command: str | bytes | int | float) -> None:
        if self.is_up:
            self._commands.tell(*command)

    async def all_or_nothing(self, commands: Sequence[tuple[str | bytes | int, ...]]) -> None:
        """Run these as one; raise ``Unreachable`` when not all were, or when it is not sure
        whether the other nodes are linked to the same Redis.
        """
        if self.is_up and self._commands.is_full:
            raise Unreachable("too much waits for it")
        self._check_doubt()
        try:
            if len(commands) == 1:
                await self.call(*commands[0])
            else:
                self.tell("MULTI")
                for command in commands:
                    self.tell(*command)
                for reply in await self.call("EXEC"):
                    if isinstance(reply, ResponseError):
                        raise reply
        except ResponseError as error:
            raise Unreachable(words(error)) from error
        self._check_doubt()

    def _check_doubt(self) -> None:
        if self._is_doubtful:
            raise Unreachable("another master may have taken its place")

    def publish(self, channel: bytes, message: bytes) -> bool:
        """Whether it could be sent; nobody waits for the outcome."""
        if not self.is_up or self._commands.is_full:
            return False
        self._commands.tell("PUBLISH", channel, message)
        return True

    def subscribe(self, channel: bytes, *, is_sharded: bool = False) -> Deferred[Any]:
        if not self.is_up:
            failed: Deferred[Any] = Deferred()
            failed.errback(Unreachable(self.reason))
            return failed
        return self._ear.subscribe(channel, "SSUBSCRIBE" if is_sharded else "SUBSCRIBE")

    def unsubscribe(self, channel: bytes, *, is_sharded: bool = False) -> None:
        if self.is_up:
            self._ear.unsubscribe(channel, "SUNSUBSCRIBE" if is_sharded else "UNSUBSCRIBE")
