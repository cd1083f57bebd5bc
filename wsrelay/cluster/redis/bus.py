"""Publications to and from other nodes: those go out that others may want, and come in that this
node's clients are subscribed to.

While this node is the only one that attends to a channel, its client events cost Redis nothing.
It is told before another one's subscription is confirmed: see ``channel.lua`` and ``_know``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ...core.errors import PublishRefused
from ...core.frame import Frame
from ...core.names import USER_CHANNEL_PREFIX, kind_of
from ...core.publication import Publication
from .channels import Steps
from .envelope import (
    Changed,
    Joined,
    Known,
    Left,
    Letter,
    Lonely,
    Post,
    Posts,
    Shared,
    Terminate,
    decode,
    encode,
    start_of,
)
from .names import Key
from .tally import ClusterTally
from .wire import Unreachable

_log = Logger()

#: Seconds for which a subscription waits until the node that was alone knows better.
KNOWING_TIMEOUT = 1.0
#: Channels whose last number is remembered; past it a gap in the oldest goes unnoticed.
MOST_NUMBERED = 100_000
#: Bytes of one envelope, past which the next one is begun.
MOST_BYTES = 256 * 1024
#: A gap is logged at most so often, in seconds.
GAP_PAUSE = 10.0


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


class RedisBus:
    """The port ``Bus``. ``origin`` names this process for as long as it runs."""

    def __init__(
        self,
        steps: Steps,
        origin: str,
        tally: ClusterTally,
        *,
        deliver: Callable[[Publication], None],
        presence: Callable[[Key, Joined | Left | Changed], None],
        terminate: Callable[[str, str], None],
        edge: Callable[[Key, Sequence[Any]], None],
        may_unregister: Callable[[Key], bool],
        call_later: Callable[[float, Callable[[], None]], IDelayedCall],
        clock: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._steps = steps
        self._link = steps.link
        self._names = steps.names
        self._origin = origin
        self._own = start_of(origin)
        self._tally = tally
        self._deliver = deliver
        self._presence = presence
        self._terminate = terminate
        self._edge = edge
        self._may_unregister = may_unregister
        self._call_later = call_later
        self._clock = clock
        self._spawn = spawn
        self._interests: dict[Key, Interest] = {}
        self._by_name: dict[bytes, Interest] = {}
        #: What leaves at the end of the turn, by channel.
        self._leaving: dict[Key, list[Post]] = {}
        self._number = 0
        self._numbers: dict[Key, int] = {}
        self._gap_logged = -GAP_PAUSE
        #: Whether other nodes hear what this one is told.
        self.is_safe = False

    # -- carrying --------------------------------------------------------------------------

    def carry(self, publication: Publication) -> None:
        key = (publication.app_id, publication.channel)
        interest = self._interests.get(key)
        if interest is not None and interest.is_alone:
            return
        post = Post(publication.frame.payload, publication.excluded_socket_id, publication.whisper)
        posts = self._leaving.get(key)
        if posts is not None:
            posts.append(post)
            return
        if not self._leaving:
            self._call_later(0, self.flush)
        self._leaving[key] = [post]

    def flush(self) -> None:
        """Send what was said in this turn: one envelope a channel, all in one write."""
        leaving, self._leaving = self._leaving, {}
        for key, posts in leaving.items():
            for part in _in_parts(posts):
                is_sent = self._link.publish(self._names.channel(key), self._enveloped(key, part))
                if is_sent:
                    self._tally.carried += len(part)
                    self._tally.envelopes_out += 1
                else:
                    self._tally.not_carried += len(part)

    def _enveloped(self, key: Key, posts: list[Post]) -> bytes:
        """Numbered, also when it can't be sent: then the others notice."""
        self._number += 1
        numbers = self._numbers
        previous = numbers.pop(key, 0)
        numbers[key] = self._number
        if len(numbers) > MOST_NUMBERED:
            del numbers[next(iter(numbers))]
        return encode(Posts(self._origin, self._number, previous, posts))

    async def carry_surely(self, publications: Sequence[Publication], cache_seconds: float) -> None:
        if not self.is_safe:
            self._tally.refused += 1
            reason = "other nodes are coming back" if self._link.is_up else self._link.reason
            raise _refused(Unreachable(reason))
        self.flush()  # what was said before comes before
        commands: list[tuple[str | bytes | int, ...]] = []
        for each in publications:
            key = (each.app_id, each.channel)
            payload = each.frame.payload
            if kind_of(each.channel).is_cached:
                milliseconds = int(cache_seconds * 1000)
                commands.append(("SET", self._names.cached(key), payload, "PX", milliseconds))
            post = Post(payload, each.excluded_socket_id)
            commands.append(
                (self._link.publishing, self._names.channel(key), self._enveloped(key, [post]))
            )
        try:
            await self._link.all_or_nothing(commands)
        except Unreachable as away:
            self._tally.refused += 1
            raise _refused(away) from away
        self._tally.carried += len(publications)
        self._tally.envelopes_out += len(publications)

    async def terminate(self, app_id: str, user_id: str) -> None:
        name = self._names.channel((app_id, USER_CHANNEL_PREFIX + user_id))
        try:
            await self._link.call(self._link.publishing, name, encode(Terminate(self._origin)))
        except Unreachable as away:
            raise _refused(away) from away

    # -- interest --------------------------------------------------------------------------

    async def attend(self, app_id: str, channel: str) -> None:
        """Returns when it is sure that nothing is missed; at once while Redis is away."""
        key = (app_id, channel)
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

    def _learn(self, interest: Interest, version: int, *, is_alone: bool) -> None:
        if version > interest.version:
            interest.version = version
            interest.is_alone = is_alone

    def forget(self, app_id: str, channel: str) -> None:
        key = (app_id, channel)
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

    def attends(self, key: Key) -> bool:
        return key in self._interests

    # -- coming back -----------------------------------------------------------------------

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

    # -- hearing ---------------------------------------------------------------------------

    def hear(self, name: bytes, message: bytes) -> None:
        """An envelope on a channel that this node is, or just was, subscribed to."""
        if message.startswith(self._own):
            return
        interest = self._by_name.get(name)
        if interest is None:
            return
        letter = decode(message)
        if letter is None:
            self._tally.envelopes_not_understood += 1
        elif type(letter) is Posts:
            self._tally.envelopes_in += 1
            self._check_number(interest, letter)
            app_id, channel = interest.key
            for post in letter.posts:
                self._deliver(
                    Publication(
                        app_id, channel, Frame(post.payload), post.excluded_socket_id, post.whisper
                    )
                )
        else:
            self._hear_other(interest, letter)

    def _hear_other(self, interest: Interest, letter: Letter) -> None:
        if isinstance(letter, Joined | Left | Changed):
            self._presence(interest.key, letter)
        elif isinstance(letter, Shared):
            must_say = interest.is_alone or interest.settling
            self._learn(interest, letter.version, is_alone=False)
            if must_say:
                self._spawn(self._know(interest))
        elif isinstance(letter, Known):
            interest.known = letter.version
            _fire(interest.knowing)
        elif isinstance(letter, Lonely):
            self._spawn(self._settle_alone(interest))
        elif isinstance(letter, Terminate) and letter.origin != self._origin:
            app_id, channel = interest.key
            self._terminate(app_id, channel.removeprefix(USER_CHANNEL_PREFIX))

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

    def _check_number(self, interest: Interest, posts: Posts) -> None:
        last = interest.heard.get(posts.origin)
        interest.heard[posts.origin] = posts.number
        if last is None or not posts.previous or posts.previous == last:
            return
        self._tally.envelopes_missed += 1
        now = self._clock()
        if now - self._gap_logged >= GAP_PAUSE:
            self._gap_logged = now
            _log.error(
                "app {app}: {channel}: envelopes of node {node} are missing between its numbers "
                "{last} and {number}",
                app=interest.key[0],
                channel=interest.key[1],
                node=posts.origin,
                last=last,
                number=posts.number,
            )

    def __len__(self) -> int:
        """Channels that this node attends to."""
        return len(self._interests)


def _in_parts(posts: list[Post]) -> list[list[Post]]:
    parts: list[list[Post]] = [[]]
    size = 0
    for post in posts:
        if size > MOST_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(post)
        size += len(post.payload)
    return parts


def _refused(away: Unreachable) -> PublishRefused:
    return PublishRefused(503, f"other nodes can't be reached, Redis is away: {away}; try again")


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
