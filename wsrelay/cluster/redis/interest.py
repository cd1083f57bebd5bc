"""Which channels this node attends to, and with which of them it is alone.

While a node is the only one that attends to a channel, its client events cost Redis nothing. It is
told before another one's subscription is confirmed: see ``channel.lua`` and ``_know``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ...core.publication import Publication
from .channels import Steps
from .envelope import Known, Lonely, Shared
from .names import Key
from .wire import Unreachable

#: Seconds for which a subscription waits until the node that was alone knows better.
KNOWING_TIMEOUT = 1.0


@dataclass(slots=True)
class Interest:
    """A channel that this node attends to."""

    key: Key
    name: bytes
    #: Nobody else attends to it.
    is_alone: bool = False
    #: Of what is known about others; older news is no news.
    version: int = 0
    #: When the node that was alone last said that it knows.
    known: int = 0
    #: Being subscribed to and registered; who waits for that, and for the lone node to know.
    is_rising: bool = False
    rising: list[Deferred[None]] = field(default_factory=list)
    knowing: list[Deferred[None]] = field(default_factory=list)
    #: Questions under way whether this node is alone.
    settling: int = 0
    #: By node, the number of its last envelope.
    heard: dict[str, int] = field(default_factory=dict)
    #: Client events of this node that are on their way to their place among what all nodes hear,
    #: by the numbers of their envelopes.
    flying: deque[tuple[int, list[Publication]]] = field(default_factory=deque)


class Interests:
    """All channels that this node attends to."""

    def __init__(
        self,
        steps: Steps,
        *,
        edge: Callable[[Key, Sequence[Any]], None],
        may_unregister: Callable[[Key], bool],
        call_later: Callable[[float, Callable[[], None]], IDelayedCall],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._steps = steps
        self._link = steps.link
        self._names = steps.names
        self._edge = edge
        self._may_unregister = may_unregister
        self._call_later = call_later
        self._spawn = spawn
        self._interests: dict[Key, Interest] = {}
        self._by_name: dict[bytes, Interest] = {}

    def of(self, key: Key) -> Interest | None:
        return self._interests.get(key)

    def named(self, name: bytes) -> Interest | None:
        """By the name of Redis' channel."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Interest]:
        return iter(tuple(self._interests.values()))

    def __len__(self) -> int:
        return len(self._interests)

    # -- wanting and leaving ---------------------------------------------------------------

    async def attend(self, key: Key) -> None:
        """Returns when it is sure that nothing is missed; at once while Redis is away."""
        interest = self._interests.get(key)
        if interest is None:
            interest = Interest(key, self._names.channel(key))
            self._interests[key] = self._by_name[interest.name] = interest
            await self._rise(interest)
        elif interest.is_rising:
            await _next(interest.rising)

    async def _rise(self, interest: Interest) -> None:
        """Subscribe and register."""
        steps, key = self._steps, interest.key
        interest.is_rising = True
        try:
            steps.register(key)
            await self._link.subscribe(interest.name)
            version, others, must_wait = await steps.run("attend", key)
            self._learn(interest, int(version), is_alone=not others)
            if must_wait:
                await self._known(interest)
        except Unreachable:
            pass  # it is done again on return
        finally:
            interest.is_rising = False
            _fire(interest.rising)

    async def _known(self, interest: Interest) -> None:
        """Wait until the node that was alone has said that it knows; not for ever."""
        if interest.version > interest.known:
            timer = self._call_later(KNOWING_TIMEOUT, lambda: _fire(interest.knowing))
            await _next(interest.knowing)
            if timer.active():
                timer.cancel()

    def forget(self, key: Key) -> None:
        interest = self._interests.pop(key, None)
        if interest is None:
            return
        del self._by_name[interest.name]
        self._link.unsubscribe(interest.name)
        self._spawn(self._forget(key))

    async def _forget(self, key: Key) -> None:
        try:
            self._edge(key, await self._steps.run("forget", key))
        except Unreachable:
            return  # swept on return
        self.unregister(key)

    def unregister(self, key: Key) -> None:
        """Nothing of this node is in the channel any more, unless there is again."""
        if key not in self._interests and self._may_unregister(key):
            self._steps.unregister(key)

    # -- away and back ---------------------------------------------------------------------

    def lost(self) -> None:
        """Redis is away: nobody is known to be alone, and numbers will have gaps."""
        for interest in self._interests.values():
            interest.is_alone = False
            interest.version = interest.known = 0
            interest.heard.clear()

    async def restore(self) -> list[Key]:
        """Attend again to all that is wanted; the keys of it."""
        for interest in list(self._interests.values()):
            if not interest.is_rising:
                self._spawn(self._rise(interest))
        for interest in list(self._interests.values()):
            if interest.is_rising:
                await _next(interest.rising)
        return list(self._interests)

    # -- who is alone ----------------------------------------------------------------------

    def hear(self, interest: Interest, letter: Shared | Known | Lonely) -> None:
        if isinstance(letter, Shared):
            must_say = interest.is_alone or interest.settling
            self._learn(interest, letter.version, is_alone=False)
            if must_say:
                self._spawn(self._know(interest))
        elif isinstance(letter, Known):
            interest.known = letter.version
            _fire(interest.knowing)
        else:
            self._spawn(self._settle_alone(interest))

    def _learn(self, interest: Interest, version: int, *, is_alone: bool) -> None:
        if version > interest.version:
            interest.version = version
            interest.is_alone = is_alone

    async def _know(self, interest: Interest) -> None:
        with suppress(Unreachable):
            await self._steps.run("know", interest.key)

    async def _settle_alone(self, interest: Interest) -> None:
        interest.settling += 1
        try:
            version = await self._steps.run("settle_alone", interest.key)
        except Unreachable:
            return
        finally:
            interest.settling -= 1
        if version and self._link.is_up:
            self._learn(interest, int(version), is_alone=True)


async def _next(row: list[Deferred[None]]) -> None:
    """Stand in a row until it is fired."""
    place: Deferred[None] = Deferred()
    row.append(place)
    await place


def _fire(row: list[Deferred[None]]) -> None:
    everybody = row[:]
    row.clear()
    for each in everybody:
        each.callback(None)
