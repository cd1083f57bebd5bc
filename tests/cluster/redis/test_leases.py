"""wsrelay.cluster.redis.leases"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.doubles import drive
from wsrelay.cluster.redis.channels import Steps
from wsrelay.cluster.redis.leases import BEAT, Leases
from wsrelay.cluster.redis.names import Names
from wsrelay.cluster.redis.tally import ClusterTally
from wsrelay.log import spawn


class SlowRedis:
    """Lets a node in at once, and keeps what else it is asked until the test answers."""

    publishing = "PUBLISH"

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []

    def run(self, script: object, key: object, step: str, *arguments: object) -> Deferred[Any]:
        reply: Deferred[Any] = Deferred()
        if step == "enter":
            reply.callback([1])
        else:
            self.asked.append(reply)
        return reply


def living(clock: Clock, redis: SlowRedis) -> Leases:
    nobody = cast("Any", None)
    leases = Leases(
        Steps(redis, Names("test"), lambda key: False, is_cluster=False),
        "node",
        nobody,
        nobody,
        ClusterTally(),
        call_later=clock.callLater,
        clock=clock.seconds,
        spawn=spawn,
        on_dead=lambda: None,
    )
    drive(leases.enter())
    return leases


def test_a_node_says_that_it_lives_one_word_after_the_other() -> None:
    clock, redis = Clock(), SlowRedis()
    living(clock, redis)
    clock.advance(BEAT)
    clock.advance(BEAT)
    assert len(redis.asked) == 1
    redis.asked[0].callback([1])
    clock.advance(BEAT)
    assert len(redis.asked) == 2


def test_a_node_may_end_while_it_says_that_it_lives() -> None:
    clock, redis = Clock(), SlowRedis()
    leases = living(clock, redis)
    clock.advance(BEAT)
    leases.end()
    redis.asked[0].callback([1])
    assert clock.getDelayedCalls() == []


def test_a_node_that_has_ended_says_nothing_more() -> None:
    clock, redis = Clock(), SlowRedis()
    leases = living(clock, redis)
    leases.end()
    assert clock.getDelayedCalls() == []
    assert redis.asked == []
