"""The rules of one channel on several nodes: what they tell one another, so that all judge alike.

All nodes hear what is said in a channel in one order, that in which Redis passes it on, and each
hears there what is its own as well. Who is near whom is judged in that order alone, so all nodes
come to the same end without a word about it. A node's own members are told of a move at once, and
it is judged when its place has come.

A node that begins to attend, or that comes back, tells all others what it has and asks for the
same; one that has missed something only asks. They answer as of the place of the question. What it
hears behind that place waits for the answers, ``MOST_SECONDS`` at the longest; an answer that comes
later still counts. What came before it, the answers judge, and the node itself among its own.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.frame import Frame
from ..core.notices import Tally
from ..core.ports import CallLater, Nodes, Subscriber
from ..core.publication import Publication, Whisper
from ..core.remarks import Came, Remark, Stand, Told, Went
from .elsewhere import Elsewhere
from .on_way import OnWay
from .present import Present
from .proximity import Proximity
from .question import Heard, Move, Question
from .snapshot import Snapshot
from .telling import Telling

#: Seconds for which moves wait to be judged until all nodes have answered.
MOST_SECONDS = 1.0
#: Moves that wait for it at the most; past it they are judged without the answers.
MOST_WAITING = 100_000


class ChannelColleagues:
    """``core.ports.Colleagues``, and what the rules of this node ask them."""

    def __init__(
        self,
        app_id: str,
        channel: str,
        nodes: Nodes,
        present: Present,
        snapshot: Snapshot | None,
        proximity: Proximity | None,
        subscribers: dict[str, Subscriber],
        gone: Callable[[str], None],
        tally: Tally,
        call_later: CallLater,
        *,
        has_presence: bool,
    ) -> None:
        """``gone`` is told of each member who was elsewhere alone, on channels without users."""
        self._key = app_id, channel
        self._nodes = nodes
        self._present = present
        self._snapshot = snapshot
        self._proximity = proximity
        self._subscribers = subscribers
        self._gone = gone
        self._tally = tally
        self._call_later = call_later
        self._has_presence = has_presence
        self._telling = Telling(present, snapshot, proximity, has_presence=has_presence)
        self._elsewhere = Elsewhere()
        self._on_way = OnWay()
        self._question: Question | None = None
        self._number = 0
        #: It is not known yet who is to be asked.
        self._is_to_ask = False
        #: Whether members here may have said what others have not heard: before the first question
        #: and after an absence. Else a question leaves it out: until it is heard, a user's tab
        #: on another node may have said something newer.
        self._is_unheard = False

    # -- this node's members -----------------------------------------------------------

    def joined(self, socket_id: str, user_id: str | None) -> None:
        """Told before he can say anything: whoever hears him can address him."""
        self._nodes.tell(*self._key, Came(socket_id, user_id))
        if len(self._present) == 1:
            self._is_to_ask = self._is_unheard = self._nodes.ask(*self._key)

    def left(self, socket_id: str) -> None:
        self._nodes.tell(*self._key, Went(socket_id))

    def has(self, to: str, user_id: str | None) -> bool:
        """Whether another node has whom ``to`` means; true while answers are waited for."""
        if to in self._elsewhere or self._is_to_ask:
            return True
        if self._question is not None and self._question.waiting is not None:
            return True
        return self._has_presence and to != user_id and self._nodes.has_member(*self._key, to)

    def forgot(self, name: str) -> None:
        """A member is gone, on all nodes."""
        question = self._question
        if question is not None:
            question.forget(name)

    def end(self) -> None:
        """The channel is gone."""
        self._end_question()

    # -- what is said, and its place among all that is heard ---------------------------

    def is_superseded(self, publication: Publication, name: str, *, is_early: bool) -> bool:
        """Whether this node has said something newer of the same member and event.

        What is on its way to its place comes behind all that is heard before.
        """
        whisper = publication.whisper
        assert whisper is not None
        said = name, whisper.event
        if publication.origin is not None:
            self._elsewhere.came(publication.origin, whisper.socket_id, whisper.user_id)
            if said in self._on_way:
                self._tally.client_events_superseded += 1
                return True
        elif is_early:
            self._on_way.left(said, whisper.at)
        if self._question is not None:
            self._question.heard.add(said)
        return False

    def arrived(self, name: str, whisper: Whisper) -> None:
        """One that was on its way has its place."""
        self._on_way.arrived((name, whisper.event), whisper.at)

    def must_wait(self, name: str, at: tuple[float, float]) -> bool:
        """Whether a move waits to be judged; then it is kept here."""
        question = self._question
        if question is None or question.waiting is None:
            return False
        question.waiting.append(Move(name, at))
        if len(question.waiting) > MOST_WAITING:
            self._judge_waiting()
        return True

    # -- asking and answering ----------------------------------------------------------

    def ask(self, others: dict[str, set[str]]) -> None:
        self._end_question()
        self._is_to_ask = False
        is_unheard, self._is_unheard = self._is_unheard, False
        if not others:
            return
        self._number += 1
        timer = self._call_later(MOST_SECONDS, self._wait_no_longer)
        self._question = Question(self._number, others, timer)
        moving = self._on_way.moving
        for part in self._telling.parts(moving, asks=self._number, has_stands=is_unheard):
            self._nodes.tell(*self._key, part)

    def asked(self, number: int) -> None:
        question = self._question
        if question is not None and question.number == number:
            self._put_waiting(question)
            question.is_placed = True

    def _put_waiting(self, question: Question) -> None:
        """Of what is before the place of the question, the answers judge what concerns others."""
        if question.waiting and self._proximity is not None:
            for each in question.waiting:
                if isinstance(each, Move):
                    self._proximity.judge_here(each.name, each.at)
            question.waiting = []

    def hear(self, origin: str, node: str, remark: Remark) -> None:
        if isinstance(remark, Came):
            self._elsewhere.came(origin, remark.socket_id, remark.user_id)
        elif isinstance(remark, Went):
            gone = self._elsewhere.went(remark.socket_id)
            self._forget([gone] if gone is not None else [])
        elif remark.answers is None or remark.answers[0] == self._nodes.origin:
            self._hear_told(origin, node, remark)

    def _hear_told(self, origin: str, node: str, told: Told) -> None:
        gone = self._elsewhere.told(
            origin, node, told.connections, is_first=told.is_first, is_last=told.is_last
        )
        question = self._question
        if told.answers is None:
            self._show_all(told.stands, set(self._on_way))
            if question is not None:
                question.heard.update((stand.name, stand.event) for stand in told.stands)
            self._take_in_turn(Heard(origin, told))
        elif question is not None and told.answers[1] == question.number:
            self._hear_answer(question, origin, told)
        self._forget(gone)

    def _take_in_turn(self, heard: Heard) -> None:
        """Where this node waits for answers itself, those who ask later wait for it."""
        question = self._question
        if question is not None and question.waiting is not None:
            if question.is_placed:
                question.waiting.append(heard)
                return
            self._put_waiting(question)
        self._take(heard)

    def _take(self, heard: Heard) -> None:
        origin, told = heard
        if self._proximity is not None:
            self._proximity.adopt(told.stands, _pairs(told.stands))
        if told.asks and told.is_last:
            for part in self._telling.parts(answers=(origin, told.asks)):
                self._nodes.tell(*self._key, part)

    def _hear_answer(self, question: Question, origin: str, told: Told) -> None:
        stands = [stand for stand in told.stands if stand.name not in question.went]
        question.said |= _pairs(stands)
        self._show_all(stands, question.heard.union(self._on_way))
        if self._proximity is not None:
            self._proximity.adopt(stands, question.said)
        if told.is_last:
            question.others.pop(origin, None)
            self._end_if_answered(question)

    def _show_all(self, stands: list[Stand], newer: set[tuple[str, str]]) -> None:
        """``newer``: names and events of which this node has heard something newer."""
        for stand in stands:
            if (stand.name, stand.event) in newer:
                continue
            if self._snapshot is not None:
                self._show(self._snapshot, stand)
            if self._proximity is not None and stand.at is not None:
                self._proximity.show(stand, is_told=self._snapshot is not None)

    def _show(self, snapshot: Snapshot, stand: Stand) -> None:
        """Those who have joined already are told of it as if they did now."""
        if snapshot.holds(stand.name, stand.event, stand.payload):
            return
        frame, slot = Frame(stand.payload), (self._key[1], stand.event, stand.socket_id)
        snapshot.remember(stand.name, stand.event, frame, slot)
        for subscriber in self._subscribers.values():
            subscriber.send_newest(frame, slot)
        self._tally.deliveries += len(self._subscribers)

    def _end_if_answered(self, question: Question) -> None:
        if not question.others:
            self._end_question()

    def _end_question(self) -> None:
        if self._question is not None:
            if self._question.timer is not None:
                self._question.timer.cancel()
            self._judge_waiting()
            self._question = None

    def _wait_no_longer(self) -> None:
        if self._question is not None:
            self._question.timer = None
        self._nodes.unanswered()
        self._judge_waiting()

    def _judge_waiting(self) -> None:
        question = self._question
        if question is not None and question.waiting is not None:
            waiting, question.waiting = question.waiting, None
            for each in waiting:
                if isinstance(each, Heard):
                    self._take(each)
                elif self._proximity is not None:
                    self._proximity.judge(each.name, each.at)

    # -- nodes that are gone -----------------------------------------------------------

    def died(self, origin: str, node: str) -> None:
        self._forget(self._elsewhere.died(origin, node))
        question = self._question
        if question is not None and origin in question.others:
            question.others[origin].discard(node)
            if not question.others[origin]:
                del question.others[origin]
            self._end_if_answered(question)

    def parted(self) -> None:
        self._is_unheard = True
        self._end_question()
        self._elsewhere.parted()

    def forget_silent(self) -> None:
        self._forget(self._elsewhere.forget_silent())

    def _forget(self, names: list[str]) -> None:
        if not self._has_presence:  # else the word of Presence counts
            for name in names:
                self._gone(name)


def _pairs(stands: list[Stand]) -> set[frozenset[str]]:
    return {frozenset((stand.name, other)) for stand in stands for other in stand.near}
