"""wsrelay.eager"""

from __future__ import annotations

import gc

import pytest
from twisted.internet.defer import CancelledError, Deferred

from wsrelay.eager import begin


async def told(first: Deferred[int], second: Deferred[int]) -> int:
    return await first + await second


def waiting_for(first: Deferred[int], second: Deferred[int]) -> Deferred[int]:
    begun = begin(told(first, second))
    assert isinstance(begun, Deferred)
    return begun


def test_what_need_not_wait_is_there_at_once() -> None:
    async def ready() -> int:
        return 7

    assert begin(ready()) == 7


def test_what_goes_wrong_before_it_waits_is_raised() -> None:
    async def wrong() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        begin(wrong())


def test_what_waits_is_a_deferred_of_what_it_returns() -> None:
    first, second, results = Deferred[int](), Deferred[int](), list[int]()
    waiting_for(first, second).addCallback(results.append)
    first.callback(3)
    assert results == []
    second.callback(4)
    assert results == [7]


def test_what_goes_wrong_while_it_waits_is_its_failure() -> None:
    first, second, failures = Deferred[int](), Deferred[int](), list[str]()
    waiting_for(first, second).addErrback(lambda failure: failures.append(failure.value.args[0]))
    first.callback(3)
    second.errback(ValueError("wrong"))
    assert failures == ["wrong"]


def test_who_cancels_it_cancels_what_it_waits_for() -> None:
    first, second, cancelled = Deferred[int](), Deferred[int](), list[object]()
    begun = waiting_for(first, second)
    begun.addErrback(lambda failure: cancelled.append(failure.trap(CancelledError)))
    begun.cancel()
    assert cancelled == [CancelledError]
    assert first.called


def test_what_nobody_will_ever_answer_is_closed() -> None:
    closed = []

    async def endless() -> None:
        try:
            await Deferred()
        finally:
            closed.append(True)

    begun = begin(endless())
    del begun
    gc.collect()
    assert closed == [True]
