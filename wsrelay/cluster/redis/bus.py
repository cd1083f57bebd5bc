"""Publications to and from other nodes: those go out that others may want, and come in that this
node's clients are subscribed to. Envelopes are numbered, so that a gap is noticed.

Redis passes on what is said in a channel in one order, to this node as well. Where rules judge by
that order, its own client events are *flying* until they have come back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ...core.errors import PublishRefused
from ...core.frame import Frame
from ...core.names import USER_CHANNEL_PREFIX, kind_of
from ...core.publication import Publication
from ...core.remarks import Remark
from .channels import Steps
from .envelope import (
    Changed,
    Dead,
    Joined,
    Known,
    Left,
    Letter,
    Lonely,
    Post,
    Posts,
    Remarked,
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
        judge: Callable[[Publication], None],
        presence: Callable[[Key, Joined | Left | Changed], None],
        remarks: Callable[[Key, Remarked | Dead], None],
        missed: Callable[[Key], None],
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
        self._judge = judge
        self._presence = presence
        self._remarks = remarks
        self._missed = missed
        self._terminate = terminate
        self._call_later = call_later
        self._clock = clock
        self._interests = interests
        #: What leaves at the end of the turn, by channel.
        self._leaving: dict[Key, list[Publication]] = {}
        self._number = 0
        self._numbers: dict[Key, int] = {}
        self._gap_logged = -GAP_PAUSE
        #: Whether other nodes hear what this one is told.
        self.is_safe = False

    # -- carrying --------------------------------------------------------------------------

    def carry(self, publication: Publication) -> bool:
        key = (publication.app_id, publication.channel)
        interest = self._interests.of(key)
        if interest is not None and interest.is_alone:
            if interest.flying or key in self._leaving:
                self.flush()
                self._bring_back(interest)
            return False
        leaving = self._leaving.get(key)
        if leaving is not None:
            leaving.append(publication)
        else:
            if not self._leaving:
                self._call_later(0, self.flush)
            self._leaving[key] = [publication]
        return publication.whisper is not None and interest is not None

    def flush(self) -> None:
        """Send what was said in this turn: one envelope a channel, all in one write."""
        leaving, self._leaving = self._leaving, {}
        for key, publications in leaving.items():
            for part in _in_parts(publications):
                posts = [Post(p.frame.payload, p.excluded_socket_id, p.whisper) for p in part]
                is_sent = self._link.publish(self._names.channel(key), self._enveloped(key, posts))
                if is_sent:
                    self._tally.carried += len(part)
                    self._tally.envelopes_out += 1
                else:
                    self._tally.not_carried += len(part)
                self._fly(key, [each for each in part if each.whisper is not None], is_sent)

    def _fly(self, key: Key, whispered: list[Publication], is_sent: bool) -> None:
        """Client events come back as the others hear them. Those that can't be sent are back."""
        interest = self._interests.of(key)
        if not whispered or interest is None:
            return
        interest.flying.append((self._number, whispered))
        if not is_sent:
            self._bring_back(interest)

    def _bring_back(self, interest: Interest, number: int | None = None) -> None:
        """Up to the envelope of that number; else all."""
        flying = interest.flying
        while flying and (number is None or flying[0][0] <= number):
            for publication in flying.popleft()[1]:
                self._judge(publication)

    def remark(self, key: Key, remark: Remark) -> None:
        """Say it behind all that was said before."""
        if key in self._leaving:
            self.flush()
        self._number += 1
        letter = Remarked(self._origin, self._steps.node, self._number, remark)
        if self._link.publish(self._names.channel(key), encode(letter)):
            self._tally.remarks_out += 1
        else:
            self._tally.not_carried += 1

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

    def lost(self) -> None:
        """Redis is away: what is flying does not come back."""
        for interest in self._interests:
            self._bring_back(interest)

    # -- hearing ---------------------------------------------------------------------------

    def hear(self, name: bytes, message: bytes) -> None:
        """An envelope on a channel that this node is, or just was, subscribed to."""
        interest = self._interests.named(name)
        is_own = message.startswith(self._own)
        if interest is None or (is_own and not interest.flying):
            return
        letter = decode(message)
        if letter is None:
            self._tally.envelopes_not_understood += 1
        elif is_own and type(letter) is Posts:
            self._bring_back(interest, letter.number)
        elif type(letter) is Posts:
            self._tally.envelopes_in += 1
            self._check_number(interest, letter)
            app_id, channel = interest.key
            for post in letter.posts:
                self._deliver(
                    Publication(
                        app_id,
                        channel,
                        Frame(post.payload),
                        post.excluded_socket_id,
                        post.whisper,
                        origin=letter.origin,
                    )
                )
        else:
            self._hear_other(interest, letter)

    def _hear_other(self, interest: Interest, letter: Letter) -> None:
        if isinstance(letter, Joined | Left | Changed):
            self._presence(interest.key, letter)
        elif isinstance(letter, Shared | Known | Lonely):
            self._interests.hear(interest, letter)
        elif isinstance(letter, Remarked | Dead):
            if isinstance(letter, Remarked) and letter.origin == self._origin:
                self._bring_back(interest, letter.number)
            self._remarks(interest.key, letter)
        elif isinstance(letter, Terminate) and letter.origin != self._origin:
            app_id, channel = interest.key
            self._terminate(app_id, channel.removeprefix(USER_CHANNEL_PREFIX))

    def _check_number(self, interest: Interest, posts: Posts) -> None:
        last = interest.heard.get(posts.origin)
        interest.heard[posts.origin] = posts.number
        if last is None or not posts.previous or posts.previous == last:
            return
        self._tally.envelopes_missed += 1
        self._missed(interest.key)
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


def _in_parts(publications: list[Publication]) -> list[list[Publication]]:
    parts: list[list[Publication]] = [[]]
    size = 0
    for each in publications:
        if size > MOST_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(each)
        size += len(each.frame.payload)
    return parts


def _refused(away: Unreachable) -> PublishRefused:
    return PublishRefused(503, f"other nodes can't be reached, Redis is away: {away}; try again")
