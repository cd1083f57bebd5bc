"""wsrelay.core.limits"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.properties  # noqa: F401  (how many examples)
from wsrelay.core.limits import TokenBucket


def admitted(bucket: TokenBucket, now: float, tries: int) -> int:
    return sum(bucket.admits(now) for _ in range(tries))


def test_as_many_as_the_rate_may_come_at_once_and_no_more() -> None:
    assert admitted(TokenBucket(10, now=0), now=0, tries=25) == 10


def test_a_second_brings_as_many_as_the_rate() -> None:
    bucket = TokenBucket(10, now=0)
    admitted(bucket, now=0, tries=10)
    assert admitted(bucket, now=1, tries=25) == 10


def test_half_a_second_brings_half_as_many() -> None:
    bucket = TokenBucket(10, now=0)
    admitted(bucket, now=0, tries=10)
    assert admitted(bucket, now=0.5, tries=25) == 5


def test_a_long_silence_saves_no_more_than_one_second_of_them() -> None:
    bucket = TokenBucket(10, now=0)
    assert admitted(bucket, now=3600, tries=25) == 10


def test_a_refused_event_costs_nothing() -> None:
    bucket = TokenBucket(1, now=0)
    assert bucket.admits(0)
    assert not bucket.admits(0.5)
    assert bucket.admits(1)


def test_a_rate_below_one_admits_one_at_a_time() -> None:
    bucket = TokenBucket(0.5, now=0)
    assert admitted(bucket, now=0, tries=5) == 1
    assert admitted(bucket, now=1.9, tries=5) == 0
    assert admitted(bucket, now=2, tries=5) == 1
    assert admitted(bucket, now=600, tries=5) == 1


def test_a_fractional_rate_keeps_its_fractions() -> None:
    bucket = TokenBucket(2.5, now=0)
    assert admitted(bucket, now=0, tries=5) == 2  # half of one is left
    assert sum(admitted(bucket, now=quarter / 4, tries=5) for quarter in range(1, 41)) == 25


def test_rate_zero_admits_everything() -> None:
    assert admitted(TokenBucket(0, now=0), now=0, tries=1000) == 1000


def test_a_clock_that_is_set_back_costs_nobody_his_events() -> None:
    # reactor.seconds() is the time of day (Twisted 26.10), which may be set back.
    bucket = TokenBucket(10, now=7200)
    assert bucket.admits(7200)
    assert bucket.admits(3600)
    assert admitted(bucket, now=3601, tries=25) == 10


# -- what counts for several -------------------------------------------------------------------


def test_what_costs_more_uses_up_more() -> None:
    bucket = TokenBucket(10, now=0)
    assert bucket.admits(0, cost=7)
    assert not bucket.admits(0, cost=4)
    assert bucket.admits(0, cost=3)
    assert not bucket.admits(0)


def test_what_costs_more_than_a_second_brings_needs_a_full_bucket_and_a_longer_pause() -> None:
    bucket = TokenBucket(10, now=0)
    assert bucket.admits(0, cost=25)
    assert not bucket.admits(1.5)
    assert bucket.admits(1.7)
    assert not bucket.admits(2, cost=25)
    assert bucket.admits(4, cost=25)


def test_a_bucket_says_how_many_more_may_happen_and_when() -> None:
    bucket = TokenBucket(10, now=0)
    assert (bucket.remaining, bucket.seconds_until()) == (10, 0)
    bucket.admits(0, cost=8)
    assert (bucket.remaining, bucket.seconds_until(), bucket.seconds_until(4)) == (2, 0, 0.2)
    bucket.admits(0, cost=2)
    assert (bucket.remaining, bucket.seconds_until()) == (0, 0.1)
    assert bucket.admits(0 + bucket.seconds_until())


def test_who_waits_as_long_as_he_was_told_is_admitted() -> None:
    for cost in (1, 10, 40):
        bucket = TokenBucket(10, now=0)
        assert bucket.admits(0, cost=40)
        assert bucket.remaining == 0
        assert not bucket.admits(0.5, cost)
        pause = bucket.seconds_until(cost)
        assert not bucket.admits(0.5 + pause - 0.01, cost)
        assert bucket.admits(0.5 + pause + 1e-9, cost)


def test_without_a_rate_there_is_nothing_to_wait_for() -> None:
    bucket = TokenBucket(0, now=0)
    assert bucket.admits(0, cost=1000)
    assert bucket.seconds_until(1000) == 0


# -- in general --------------------------------------------------------------------------------


@given(
    rate=st.floats(min_value=0.1, max_value=1000),
    pauses=st.lists(st.floats(min_value=0, max_value=3), max_size=200),
)
def test_never_more_than_a_burst_and_the_rate_are_admitted(
    rate: float, pauses: list[float]
) -> None:
    bucket = TokenBucket(rate, now=0)
    now, count = 0.0, 0
    for pause in pauses:
        now += pause
        count += bucket.admits(now)
    assert count <= max(rate, 1) + rate * now + 1e-6


@pytest.mark.parametrize("rate", [0.25, 1, 3, 10, 99.5])
def test_whoever_keeps_below_the_rate_is_never_refused(rate: float) -> None:
    bucket = TokenBucket(rate, now=50)
    assert all(bucket.admits(50 + number * 1.001 / rate) for number in range(1000))
