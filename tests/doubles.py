"""Doubles that tests share: each does what a port of ``core/ports.py`` promises, and remembers it.

The app is the one of the protocol's published test vectors, so that its signatures fit.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from wsrelay.cluster.local import LocalBus
from wsrelay.core.apps import App, Secret
from wsrelay.core.cache import Memory
from wsrelay.core.errors import Code, PublishRefused
from wsrelay.core.frame import Frame
from wsrelay.core.notices import Notice
from wsrelay.core.ports import Slot
from wsrelay.core.publication import Publication

Result = TypeVar("Result")
Heard = dict[str, Any]

APP = App(id="482931", key="wsr-key-7f3a91", secret=Secret("wsr-secret-b20c64de"))


def an_app(**settings: Any) -> App:
    """The app of the test vectors, with other settings."""
    known: dict[str, Any] = {"id": APP.id, "key": APP.key, "secret": APP.secret}
    return App(**known | settings)


def drive(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return finished.value
    coroutine.close()
    raise AssertionError("expected a coroutine that ends at once, this one waits")


class Notices(list[Notice]):
    """An observer that keeps what it is told."""

    def __call__(self, notice: Notice) -> None:
        self.append(notice)

    def of(self, *kinds: type) -> list[Notice]:
        return [notice for notice in self if isinstance(notice, kinds)]


class RecordingSubscriber:
    """Keeps the frames it is sent."""

    def __init__(self, socket_id: str = "1.1") -> None:
        self.socket_id = socket_id
        self.frames: list[Frame] = []

    def send(self, frame: Frame) -> None:
        self.frames.append(frame)

    def send_newest(self, frame: Frame, slot: Slot) -> None:
        self.send(frame)

    @property
    def heard(self) -> list[Heard]:
        return [json.loads(frame.payload) for frame in self.frames]


class RecordingDoor(RecordingSubscriber):
    """A client's connection that keeps what was done to it."""

    def __init__(self, socket_id: str = "1.1") -> None:
        super().__init__(socket_id)
        self.closed: list[tuple[Code, str]] = []
        self.is_reading = True

    def close(self, code: Code, reason: str) -> None:
        self.closed.append((code, reason))

    def pause_reading(self) -> None:
        assert self.is_reading, "reading was paused twice"
        self.is_reading = False

    def resume_reading(self) -> None:
        assert not self.is_reading, "reading was resumed without a pause"
        self.is_reading = True


class RecordingBus:
    """A bus that keeps what it carried, and which channels this node wants of it."""

    def __init__(self, cache: Memory | None = None) -> None:
        self.carried: list[Publication] = []
        self.calls: list[tuple[str, str]] = []
        self.wanted: set[tuple[str, str]] = set()
        self.is_reachable = True
        #: When set, whoever attends to a channel waits here.
        self.gate: Gate | None = None
        self.cache = cache
        #: Whose connections the other nodes were to end.
        self.terminated: list[tuple[str, str]] = []

    def carry(self, publication: Publication) -> bool:
        self.carried.append(publication)
        return False

    async def carry_surely(self, publications: Sequence[Publication], cache_seconds: float) -> None:
        if not self.is_reachable:
            raise PublishRefused(503, "other nodes can't be reached")
        self.carried += publications
        if self.cache is not None:
            await LocalBus(self.cache).carry_surely(publications, cache_seconds)

    async def attend(self, app_id: str, channel: str) -> None:
        self.calls.append(("attend", channel))
        self.wanted.add((app_id, channel))
        if self.gate is not None:
            await self.gate.passage()

    def forget(self, app_id: str, channel: str) -> None:
        self.calls.append(("forget", channel))
        self.wanted.discard((app_id, channel))

    async def terminate(self, app_id: str, user_id: str) -> None:
        if not self.is_reachable:
            raise PublishRefused(503, "other nodes can't be reached")
        self.terminated.append((app_id, user_id))


class Gate:
    """Something to wait for: whoever comes stands here until the test lets him pass."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []

    async def passage(self) -> None:
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        await waiting

    def open(self) -> None:
        """Let everybody pass who stands here now, in the order in which they came."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def let_pass(self, number: int) -> None:
        """Let one of those pass who stand here: 0 is who came first."""
        self._waiting.pop(number).callback(None)

    def __len__(self) -> int:
        return len(self._waiting)


class Tasks:
    """Starts coroutines as the running service does, and keeps what went wrong in them."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def __call__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(coroutine).addErrback(self.failures.append)
