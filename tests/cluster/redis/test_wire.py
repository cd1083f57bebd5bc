"""wsrelay.cluster.redis.wire, and who asks Redis several things at once.

Trial fails a test after which the failure of a ``Deferred`` is left that nobody looked at.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.signing import APP
from wsrelay.cluster.redis.leases import Leases
from wsrelay.cluster.redis.names import Names
from wsrelay.cluster.redis.online import RedisUsers
from wsrelay.cluster.redis.remembering import RedisCache
from wsrelay.cluster.redis.wire import Unreachable, all_of

NAMES = Names("wsrelay")


class LostMeanwhileTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[Deferred[Any]] = []
        self.link = SimpleNamespace(call=self.call)
        self.steps: Any = SimpleNamespace(link=self.link, names=NAMES, run=self.call)
        self.addCleanup(gc.collect)

    def call(self, *command: object) -> Deferred[Any]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def lose(self) -> None:
        for each in self.asked:
            if not each.called:
                each.errback(Unreachable("gone"))

    def outcome(self, made: Callable[[], Any]) -> Any:
        """What comes of it when Redis is lost once it has been asked."""
        done = Deferred.fromCoroutine(made())
        self.lose()
        return self.successResultOf(done)

    def test_all_answers_come_in_the_order_of_the_questions(self) -> None:
        first: Deferred[int] = Deferred()
        done = Deferred.fromCoroutine(all_of([first, succeed(2)]))
        self.assertNoResult(done)
        first.callback(1)
        assert self.successResultOf(done) == [1, 2]

    def test_the_first_failure_is_raised_and_the_others_are_seen(self) -> None:
        done = Deferred.fromCoroutine(
            all_of([succeed(1), fail(Unreachable("a")), fail(Unreachable("b"))])
        )
        assert str(self.failureResultOf(done, Unreachable).value) == "a"

    def test_a_cache_has_nothing_then(self) -> None:
        assert self.outcome(lambda: RedisCache(self.link, NAMES).get(APP.id, "cache-a")) is None
        assert len(self.asked) == 2

    def test_who_is_online_here_is_online(self) -> None:
        users = RedisUsers(self.steps, lambda: None, lambda app, name: name.endswith("ada"))
        assert self.outcome(lambda: users.online(APP.id, ["ada", "bob"])) == {"ada"}
        assert len(self.asked) == 2

    def test_what_was_swept_by_then_is_told(self) -> None:
        told: list[object] = []
        edges: Any = SimpleNamespace(
            passed=lambda key, edge: told.append((key, edge)),
            parted=lambda key, parted: told.append((key, parted)),
        )
        leases: Any = Leases(
            self.steps,
            "origin",
            edges,
            *(None, None),  # type: ignore[arg-type]
            call_later=None,  # type: ignore[arg-type]
            clock=lambda: 0.0,
            spawn=None,  # type: ignore[arg-type]
            on_dead=None,  # type: ignore[arg-type]
        )
        done = Deferred.fromCoroutine(leases._sweep("dead.1"))
        keys = [("1001", name) for name in ("a", "b", "c")]
        self.asked[0].callback([NAMES.registration(key).encode() for key in keys])
        assert len(self.asked) == 4
        self.asked[2].callback(["edge", "parted"])
        self.lose()
        self.failureResultOf(done, Unreachable)
        assert told == [(keys[1], "edge"), (keys[1], "parted")]
