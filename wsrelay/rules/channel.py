"""The rules of one channel, put together: what becomes of a client event, and of who joins.

A client event meets them twice. The sender's node judges it, once (``say``): whether it waits, whom
it is for, where its sender is. Every node that has subscribers delivers it (``deliver``), by what
the ``Whisper`` beside the frame says and nothing else. Where the channel is on several nodes, who
has come near by it is judged when all nodes hear of it (``judge``); ``colleagues`` says why.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.channel import Channel
from ..core.errors import Code, EventRejected
from ..core.frame import Frame
from ..core.notices import Tally
from ..core.ports import CallLater, Nodes, Speaker, Subscriber, Wording
from ..core.publication import Publication, Whisper
from .colleagues import ChannelColleagues
from .newest import Newest, Said
from .present import Present
from .proximity import Proximity
from .reading import reader_of_addressee, reader_of_position
from .snapshot import Snapshot
from .terms import TURN, Terms
from .turn import Credentials


class ChannelRules:
    """``core.ports.Rules`` of one channel on this node."""

    def __init__(
        self,
        app_id: str,
        channel: Channel,
        terms: Terms,
        wording: Wording,
        tally: Tally,
        call_later: CallLater,
        now: Callable[[], float],
        nodes: Nodes | None = None,
    ) -> None:
        """``nodes``: the other ones, if there may be any."""
        self._channel = channel
        self._terms = terms
        self._wording = wording
        self._tally = tally
        self._present = Present()
        rule = terms.rule
        self._newest = self._snapshot = self._proximity = self._credentials = None
        if rule.newest is not None:
            self._newest = Newest(rule.newest.rate, self._leave, tally, call_later)
        if rule.directed is not None:
            self._addressee = reader_of_addressee(rule.directed.field)
        if rule.snapshot:
            self._snapshot = Snapshot(tally)
        if rule.proximity is not None:
            self._position = reader_of_position(rule.proximity.x, rule.proximity.y)
            self._proximity = Proximity(
                channel.name, rule.proximity, self._present, self._frame, tally, call_later
            )
        if rule.turn is not None:
            self._credentials = Credentials(
                rule.turn, lambda data: self._frame(TURN, data), call_later, now
            )

        self.colleagues = None
        if nodes is not None and (rule.directed or rule.snapshot or rule.proximity):
            self.colleagues = ChannelColleagues(
                app_id,
                channel.name,
                nodes,
                self._present,
                self._snapshot,
                self._proximity,
                channel.subscribers,
                self._forget,
                tally,
                call_later,
                has_presence=channel.kind.has_presence,
            )

    def _frame(self, event: str, data: str) -> Frame:
        return self._wording.event(event, self._channel.name, data)

    # -- at the sender's node ----------------------------------------------------------

    def say(self, event: str, data: bytes, user_id: str | None, speaker: Speaker) -> None:
        meaning = self._terms.meaning(event)
        if meaning.is_own:
            raise EventRejected(
                Code.CLIENT_EVENT_REJECTED, f"{event} is for the relay alone to say in this channel"
            )
        said = Said(event, data, user_id, speaker)
        if meaning.is_newest and self._newest is not None:
            self._newest.say(said)
            return
        speaker.pay()
        if meaning.is_directed:
            self._direct(said)
        else:
            self._leave(said)

    def _leave(self, said: Said) -> None:
        at = None
        if self._terms.meaning(said.event).is_position:
            at = self._position(said.data)
            if at is None:
                self._tally.positions_unreadable += 1
        self._pass_on(said, at=at)

    def _direct(self, said: Said) -> None:
        try:
            to = self._addressee(said.data)
        except ValueError as error:
            raise EventRejected(Code.CLIENT_EVENT_REJECTED, f"{said.event}: {error}") from error
        if to is not None and not self._is_there(to, said):
            raise EventRejected(
                Code.NOBODY_THERE,
                f"{said.event}: nobody else in {self._channel.name} is {to[:200]!r}",
                channel=self._channel.name,
                event=said.event,
                to=to,
            )
        self._pass_on(said, to=to)

    def _is_there(self, to: str, said: Said) -> bool:
        """Whether somebody else is whom ``to`` means, here or by way of another node."""
        addressed = self._present.addressed(to)
        if len(addressed) > (said.speaker.socket_id in addressed):
            return True
        return self.colleagues is not None and self.colleagues.has(to, said.user_id)

    def _pass_on(
        self, said: Said, *, to: str | None = None, at: tuple[float, float] | None = None
    ) -> None:
        speaker = said.speaker
        whisper = Whisper(said.event, speaker.socket_id, said.user_id, to, at)
        speaker.pass_on(self._channel.name, said.data, whisper)

    # -- at every node that has subscribers --------------------------------------------

    def deliver(self, publication: Publication, *, is_early: bool = False) -> int:
        whisper, frame = publication.whisper, publication.frame
        if whisper is None:
            if publication.gone is not None:
                self._forget(publication.gone)
            return self._channel.fan_out(frame, publication.excluded_socket_id)
        if whisper.to is not None:
            return self._deliver_to(whisper.to, whisper.socket_id, frame)
        if whisper.at is None and not self._terms.meaning(whisper.event).is_newest:
            return self._channel.fan_out(frame, whisper.socket_id)
        name, colleagues = _name_of(whisper), self.colleagues
        if colleagues is not None and colleagues.is_superseded(
            publication, name, is_early=is_early
        ):
            if whisper.at is not None:
                self._judge(name, whisper.at)
            return 0
        slot = (self._channel.name, whisper.event, whisper.socket_id)
        if self._snapshot is not None:
            self._snapshot.remember(name, whisper.event, frame, slot)
        if self._proximity is not None and whisper.at is not None:
            if is_early or (colleagues is not None and colleagues.must_wait(name, whisper.at)):
                return self._proximity.moved_early(name, frame, slot)
            return self._proximity.moved(name, whisper.at, frame, slot)
        count = 0
        for socket_id, subscriber in self._channel.subscribers.items():
            if socket_id != whisper.socket_id:
                subscriber.send_newest(frame, slot)
                count += 1
        return count

    def judge(self, publication: Publication) -> None:
        whisper = publication.whisper
        if whisper is None or whisper.to is not None:
            return
        name = _name_of(whisper)
        if self.colleagues is not None:
            self.colleagues.arrived(name, whisper)
        if whisper.at is not None:
            self._judge(name, whisper.at)

    def _judge(self, name: str, at: tuple[float, float]) -> None:
        if self._proximity is None:
            return
        if self.colleagues is None or not self.colleagues.must_wait(name, at):
            self._proximity.judge(name, at)

    def _deliver_to(self, to: str, sender: str, frame: Frame) -> int:
        count = 0
        for socket_id, subscriber in self._present.addressed(to).items():
            if socket_id != sender:
                subscriber.send(frame)
                count += 1
        return count

    # -- coming and going --------------------------------------------------------------

    def joined(self, subscriber: Subscriber, user_id: str | None) -> None:
        name = self._present.join(subscriber, user_id)
        if self._snapshot is not None:
            for frame, slot in self._snapshot:
                subscriber.send_newest(frame, slot)
            self._tally.deliveries += len(self._snapshot)
        if self.colleagues is not None:
            self.colleagues.joined(subscriber.socket_id, user_id)
        if self._credentials is not None:
            self._credentials.joined(subscriber, name)
        if self._proximity is not None:
            self._proximity.joined(subscriber, name)

    def left(self, socket_id: str) -> None:
        if self._newest is not None:
            self._newest.left(socket_id)
        gone = self._present.leave(socket_id)
        if self.colleagues is not None:
            self.colleagues.left(socket_id)
        if self._proximity is not None:
            self._proximity.left(socket_id)
        if self._credentials is not None:
            self._credentials.left(socket_id)
        if gone is not None and not self._channel.kind.has_presence:
            self._forget(gone)  # a user may have connections elsewhere: see deliver
        if not len(self._present):
            self._end()

    def _forget(self, name: str) -> None:
        """A member is gone."""
        if self.colleagues is not None:
            self.colleagues.forgot(name)
        if self._proximity is not None:
            self._proximity.gone(name)
        if self._snapshot is not None:
            self._snapshot.forget(name)

    def _end(self) -> None:
        for rule in (self.colleagues, self._newest, self._proximity, self._credentials):
            if rule is not None:
                rule.end()


def _name_of(whisper: Whisper) -> str:
    """The name of the member who said it: see ``present``."""
    return whisper.user_id if whisper.user_id is not None else whisper.socket_id
