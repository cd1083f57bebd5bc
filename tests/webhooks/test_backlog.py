"""wsrelay.webhooks.backlog"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

import tests.properties  # noqa: F401  (how many examples)
from tests.doubles import Tasks
from wsrelay.webhooks import backlog as backlog_module
from wsrelay.webhooks.backlog import (
    AT_ONCE,
    FAILURES_IN_A_ROW,
    LIFETIME,
    MOST_BYTES,
    MOST_WAITING,
    OVERHEAD,
    Backlog,
    PostFailed,
)
from wsrelay.webhooks.batch import Delivery
from wsrelay.webhooks.tally import WebhookTally

Answer = str | None


class RecordingTrouble:
    """Keeps what it is told of a receiver."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def failing(self, reason: str) -> None:
        self.told.append(f"failing: {reason}")

    def failed(self, reason: str) -> None:
        self.told.append(f"failed: {reason}")

    def dropped(self, limit: str) -> None:
        self.told.append(f"dropped: {limit}")

    def over(self) -> None:
        self.told.append("over")


class Receiver:
    """A backlog, and the receiver behind it, who answers when and as the test says."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tally = WebhookTally()
        self.trouble = RecordingTrouble()
        self.tasks = Tasks()
        self.empty = 0
        #: Bodies in the order in which they were posted, and since when.
        self.posted: list[tuple[str, float]] = []
        self.under_way: dict[str, Deferred[None]] = {}
        #: While set, every post is answered with it at once: None accepts.
        self.answers_at_once = False
        self.answer_of_all: Answer = None
        self.backlog = Backlog(
            self._post,
            clock=self.clock.seconds,
            call_later=self.clock.callLater,
            spawn=self.tasks,
            trouble=self.trouble,
            tally=self.tally,
            on_empty=self._is_empty,
        )

    def _is_empty(self) -> None:
        self.empty += 1

    async def _post(self, delivery: Delivery) -> None:
        body = delivery.body.decode()
        self.posted.append((body, self.clock.seconds()))
        if self.answers_at_once:
            if self.answer_of_all is not None:
                raise PostFailed(self.answer_of_all)
            return
        assert body not in self.under_way, "posted twice at the same time"
        self.under_way[body] = Deferred()
        await self.under_way[body]

    def add(self, *names: str) -> None:
        """Deliveries whose names begin with their line: ``a1`` and ``a2`` stand in line ``a``."""
        for name in names:
            self.backlog.add(Delivery(name[0], name.encode(), "", self.clock.seconds()))

    def answer(self, name: str, answer: Answer = None) -> None:
        waiting = self.under_way.pop(name)
        if answer is None:
            waiting.callback(None)
        else:
            waiting.errback(PostFailed(answer))

    def from_now_on(self, answer: Answer) -> None:
        self.answers_at_once = True
        self.answer_of_all = answer

    @property
    def bodies(self) -> list[str]:
        return [body for body, _ in self.posted]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        tally = self.tally
        return tally.sent, tally.retried, tally.failed, tally.dropped


def times(start: float, pauses: Iterable[float]) -> list[float]:
    found = [start]
    for pause in pauses:
        found.append(found[-1] + pause)
    return found


def test_what_is_accepted_is_sent_and_gone() -> None:
    receiver = Receiver()
    receiver.add("a1")
    assert receiver.bodies == ["a1"]
    assert len(receiver.backlog) == 1
    receiver.answer("a1")
    assert receiver.counts == (1, 0, 0, 0)
    assert len(receiver.backlog) == 0
    assert receiver.backlog.bytes == receiver.tally.queued == receiver.tally.queued_bytes == 0
    assert receiver.backlog._lines == {}


def test_a_line_goes_in_order_one_at_a_time() -> None:
    receiver = Receiver()
    receiver.add("a1", "a2", "a3")
    for name in ("a1", "a2", "a3"):
        assert list(receiver.under_way) == [name]
        receiver.answer(name)
    assert receiver.bodies == ["a1", "a2", "a3"]


def test_lines_do_not_wait_for_one_another_up_to_the_limit() -> None:
    receiver = Receiver()
    receiver.add("a1", "b1", "c1", "d1", "e1", "a2")
    assert AT_ONCE == 4
    assert list(receiver.under_way) == ["a1", "b1", "c1", "d1"]
    receiver.answer("b1")
    assert list(receiver.under_way) == ["a1", "c1", "d1", "e1"]
    receiver.answer("a1")
    assert list(receiver.under_way) == ["c1", "d1", "e1", "a2"]


def test_what_fails_is_tried_again_after_pauses_that_double_up_to_a_minute() -> None:
    receiver = Receiver()
    receiver.from_now_on("answered 500")
    receiver.clock.advance(7)
    receiver.add("a1")
    receiver.clock.pump([1.0] * 400)
    pauses = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [time for _, time in receiver.posted] == times(7, pauses)
    assert receiver.counts == (0, 9, 1, 0)
    assert receiver.trouble.told == ["failing: answered 500"] * 9 + ["failed: answered 500"]
    assert receiver.clock.getDelayedCalls() == []
    assert receiver.backlog._lines == {}


def test_what_fails_once_is_sent_the_second_time_and_before_what_came_later() -> None:
    receiver = Receiver()
    receiver.add("a1", "a2", "b1")
    receiver.answer("a1", "refuses connections")
    receiver.answer("b1")
    assert receiver.bodies == ["a1", "b1"]
    receiver.from_now_on(None)
    receiver.clock.advance(0.999)
    assert receiver.bodies == ["a1", "b1"]
    receiver.clock.advance(0.001)
    assert receiver.bodies == ["a1", "b1", "a1", "a2"]
    assert receiver.counts == (3, 1, 0, 0)


def test_what_waits_behind_a_failure_for_too_long_is_given_up_untried() -> None:
    receiver = Receiver()
    receiver.add("a1", "a2")
    receiver.clock.advance(LIFETIME)
    receiver.add("a3")
    receiver.clock.advance(0.001)
    receiver.answer("a1")
    assert receiver.bodies == ["a1", "a3"]
    assert receiver.counts == (1, 0, 1, 0)
    assert "was too slow" in receiver.trouble.told[-1]


def test_what_waited_almost_too_long_is_tried() -> None:
    receiver = Receiver()
    receiver.add("a1", "a2")
    receiver.clock.advance(LIFETIME)
    receiver.answer("a1")
    assert receiver.bodies == ["a1", "a2"]


def test_a_delivery_that_is_never_accepted_holds_up_its_own_line_only_and_not_for_ever() -> None:
    receiver = Receiver()
    receiver.add("a1")
    for second in range(250):
        if second == 100:
            receiver.add("a2")
        if "a1" in receiver.under_way:
            receiver.answer("a1", "answered 500")
        receiver.add(f"b{second}")
        receiver.answer(f"b{second}")
        receiver.clock.advance(1)
    receiver.answer("a2")
    assert receiver.bodies.count("a1") == 10
    assert receiver.counts == (251, 9, 1, 0)


def test_a_receiver_that_accepts_nothing_is_asked_one_thing_at_a_time() -> None:
    receiver = Receiver()
    receiver.add("a1", "b1", "c1", "d1", "e1", "f1", "g1")
    for name in ("a1", "b1", "c1"):
        receiver.answer(name, "refuses connections")
    assert len(receiver.under_way) == AT_ONCE == FAILURES_IN_A_ROW
    receiver.answer("d1", "refuses connections")
    receiver.answer("e1", "refuses connections")
    receiver.answer("f1", "refuses connections")
    assert list(receiver.under_way) == ["g1"]
    receiver.clock.advance(1)
    assert list(receiver.under_way) == ["g1"]
    receiver.answer("g1")
    assert list(receiver.under_way) == ["a1", "b1", "c1", "d1"]


def test_the_end_of_trouble_is_told_when_nothing_waits_for_another_attempt() -> None:
    receiver = Receiver()
    receiver.add("a1", "b1")
    receiver.answer("a1", "answered 500")
    receiver.answer("b1")
    assert receiver.trouble.told == ["failing: answered 500"]
    receiver.clock.advance(1)
    receiver.answer("a1")
    assert receiver.trouble.told == ["failing: answered 500", "over"]


def test_when_too_many_wait_the_oldest_is_dropped_and_what_is_under_way_is_not() -> None:
    receiver = Receiver()
    receiver.add("a1")
    for number in range(MOST_WAITING):
        receiver.add(f"a{number + 2}")
    assert receiver.counts == (0, 0, 0, 0)
    receiver.add("b1")  # at once under way: it does not wait
    receiver.add("a_last")
    assert receiver.counts == (0, 0, 0, 1)
    assert receiver.tally.queued == MOST_WAITING
    assert set(receiver.trouble.told) == {f"dropped: {MOST_WAITING} deliveries wait"}
    receiver.answer("a1")
    assert receiver.bodies == ["a1", "b1", "a3"]


def test_when_too_many_bytes_wait_the_oldest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, "MOST_BYTES", 2 * (2 + OVERHEAD))
    receiver = Receiver()
    receiver.add("a1", "a2", "a3")
    assert receiver.counts == (0, 0, 0, 0)
    receiver.add("a4")
    assert receiver.counts == (0, 0, 0, 1)
    assert receiver.tally.queued_bytes == receiver.backlog.bytes == 2 * (2 + OVERHEAD)
    receiver.add("a5" + "x" * 10_000)
    assert receiver.counts == (0, 0, 0, 3)
    receiver.answer("a1")
    assert receiver.bodies[1:] == ["a5" + "x" * 10_000]


def test_a_retry_that_is_dropped_leaves_its_line_to_those_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog_module, "MOST_WAITING", 2)
    receiver = Receiver()
    receiver.add("a1")
    receiver.answer("a1", "answered 500")
    receiver.add("a2", "a3")
    assert receiver.counts == (0, 1, 0, 1)
    receiver.clock.advance(1)
    assert list(receiver.under_way) == ["a2"]


def test_what_is_tried_again_is_still_the_oldest() -> None:
    receiver = Receiver()
    receiver.add("a1", "a2", "b1", "b2")
    receiver.answer("a1", "answered 500")
    receiver.backlog.drop_oldest("all is full")
    receiver.from_now_on(None)
    receiver.answer("b1")
    receiver.clock.advance(1)
    assert receiver.bodies == ["a1", "b1", "b2", "a2"]
    assert receiver.counts == (3, 1, 0, 1)


def test_a_line_whose_only_delivery_is_dropped_in_a_pause_is_forgotten() -> None:
    receiver = Receiver()
    receiver.add("a1")
    receiver.answer("a1", "answered 500")
    receiver.backlog.drop_oldest("all is full")
    assert receiver.backlog._lines == {}
    assert receiver.clock.getDelayedCalls() == []
    assert receiver.trouble.told[-1] == "dropped: all is full"
    receiver.add("a2")
    receiver.answer("a2")
    assert receiver.trouble.told[-1] == "over"


def test_an_error_of_our_own_frees_the_place_and_is_not_swallowed() -> None:
    receiver = Receiver()
    receiver.add("a1")
    receiver.under_way.pop("a1").errback(ZeroDivisionError())
    assert [failure.type for failure in receiver.tasks.failures] == [ZeroDivisionError]
    receiver.clock.advance(1)
    receiver.answer("a1")
    assert receiver.counts == (1, 1, 0, 0)


def test_thousands_that_are_answered_at_once_do_not_pile_up_on_the_stack() -> None:
    receiver = Receiver()
    receiver.add("a1", *[f"a{number}" for number in range(2, 5000)])
    receiver.from_now_on(None)
    receiver.answer("a1")
    assert receiver.counts == (4999, 0, 0, 0)


def test_when_the_relay_stops_everything_is_tried_once_more_and_then_given_up() -> None:
    receiver = Receiver()
    receiver.add("a1", "a2", "b1")
    receiver.answer("a1", "answered 500")
    receiver.backlog.hasten()
    assert list(receiver.under_way) == ["b1", "a1"]
    receiver.answer("a1", "answered 500")
    receiver.answer("a2")
    assert receiver.empty == 0
    receiver.answer("b1")
    assert receiver.empty == 1
    assert receiver.counts == (2, 1, 1, 0)
    assert receiver.clock.getDelayedCalls() == []


def test_what_is_abandoned_is_dropped_and_what_is_under_way_ends_by_itself() -> None:
    receiver = Receiver()
    receiver.add("a1", "a2", "b1")
    receiver.backlog.hasten()
    receiver.backlog.abandon("the relay is stopping")
    assert receiver.counts == (0, 0, 0, 1)
    receiver.answer("a1", "could not be asked")
    receiver.answer("b1")
    assert receiver.counts == (1, 0, 1, 1)
    assert len(receiver.backlog) == receiver.backlog.bytes == 0
    assert receiver.backlog._lines == {}


class Posting(RuleBasedStateMachine):
    """However the receiver behaves: a line is heard in order, nothing is lost uncounted, no more
    than so many are asked at once, and nothing is forgotten in a corner."""

    def __init__(self) -> None:
        super().__init__()
        self.receiver = Receiver()
        self.added = 0
        self.heard: dict[str, list[int]] = {}

    @rule(line=st.sampled_from("aaaabbbcdefg"))
    def add(self, line: str) -> None:
        self.added += 1
        self.receiver.add(f"{line}{self.added}")

    @precondition(lambda self: self.receiver.under_way)
    @rule(which=st.integers(0, 3), answer=st.sampled_from([None, None, "answered 500"]))
    def answer(self, which: int, answer: Answer) -> None:
        name = list(self.receiver.under_way)[which % len(self.receiver.under_way)]
        if answer is None:
            heard = self.heard.setdefault(name[0], [])
            heard.append(int(name[1:]))
            assert heard == sorted(set(heard)), "out of order, or twice"
        self.receiver.answer(name, answer)

    @precondition(lambda self: self.receiver.tally.queued)
    @rule()
    def drop(self) -> None:
        self.receiver.backlog.drop_oldest("too much")

    @rule(seconds=st.sampled_from([0.5, 1, 10, 60, 299]))
    def time_passes(self, seconds: float) -> None:
        self.receiver.clock.advance(seconds)

    @invariant()
    def every_delivery_is_somewhere(self) -> None:
        receiver, tally = self.receiver, self.receiver.tally
        ended = tally.sent + tally.failed + tally.dropped
        assert ended + len(receiver.backlog) == self.added
        assert len(receiver.backlog) == tally.queued + len(receiver.under_way)
        assert len(receiver.under_way) <= AT_ONCE
        assert receiver.backlog.bytes == tally.queued_bytes

    @invariant()
    def whoever_waits_waits_for_something(self) -> None:
        receiver = self.receiver
        if receiver.tally.queued and not receiver.under_way:
            assert receiver.clock.getDelayedCalls()

    def teardown(self) -> None:
        receiver = self.receiver
        receiver.from_now_on(None)
        while receiver.under_way:
            receiver.answer(next(iter(receiver.under_way)))
        receiver.clock.advance(60)
        assert len(receiver.backlog) == 0
        assert receiver.backlog._lines == {}
        assert receiver.backlog._pausing == 0
        assert receiver.clock.getDelayedCalls() == []
        assert receiver.tasks.failures == []


TestPosting = Posting.TestCase


def test_the_limits_are_those_that_are_documented() -> None:
    assert (MOST_WAITING, MOST_BYTES) == (10_000, 8 * 1024 * 1024)
