"""Publications to and from other nodes: those go out that others may want, and come in that this
node's clients are subscribed to. Envelopes are numbered, so that a gap is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from .interest import Interest, Interests
from .names import Key
from .tally import ClusterTally
from .wire import Unreachable

_log = Logger()

#: Channels whose last number is remembered; past it a gap in the oldest goes unnoticed.
MOST_NUMBERED = 100_000
#: Bytes of one envelope, past which the next one is begun.
MOST_BYTES = 256 * 1024
#: A gap is logged at most so often, in seconds.
GAP_PAUSE = 10.0


class RedisBus:
    """The port ``Bus``. ``origin`` names this process for as long as it runs."""

    def __init__(
        self,
        steps: Steps,
        interests: Interests,
        origin: str,
        tally: ClusterTally,
        *,
        deliver: Callable[[Publication], None],
        presence: Callable[[Key, Joined | Left | Changed], None],
        terminate: Callable[[str, str], None],
        call_later: Callable[[float, Callable[[], None]], IDelayedCall],
        clock: Callable[[], float],
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
        self._call_later = call_later
        self._clock = clock
        self._interests = interests
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
        interest = self._interests.of(key)
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

    async def attend(self, app_id: str, channel: str) -> None:
        await self._interests.attend((app_id, channel))

    def forget(self, app_id: str, channel: str) -> None:
        self._interests.forget((app_id, channel))

    # -- hearing ---------------------------------------------------------------------------

    def hear(self, name: bytes, message: bytes) -> None:
        """An envelope on a channel that this node is, or just was, subscribed to."""
        if message.startswith(self._own):
            return
        interest = self._interests.named(name)
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
        elif isinstance(letter, Shared | Known | Lonely):
            self._interests.hear(interest, letter)
        elif isinstance(letter, Terminate) and letter.origin != self._origin:
            app_id, channel = interest.key
            self._terminate(app_id, channel.removeprefix(USER_CHANNEL_PREFIX))

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
