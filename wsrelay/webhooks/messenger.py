"""The room's one face: hears of what happens, and tells those who want to know.

notice -> told (is it news?) -> target (who wants it?) -> batch -> backlog -> sender
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from ..core.apps import KB, App, Apps
from ..core.notices import Notice
from ..core.ports import CallLater, Timer
from .backlog import Backlog
from .batch import Batch, Delivery, encode
from .outage import Outage
from .tally import WebhookTally
from .target import Target
from .told import KINDS_OF, Event, Told, WebhookNotice

#: Bytes that may wait for all receivers together; past it the longest backlog loses its oldest.
MOST_BYTES_IN_ALL = 64 * KB * KB


class Sends(Protocol):
    """Makes one attempt; see ``sender.Sender``."""

    def post(self, target: Target, delivery: Delivery) -> Awaitable[None]: ...

    def close(self) -> Coroutine[Any, Any, None]: ...


class Messenger:
    """An observer that tells the webhooks of all apps. ``tally`` counts what became of it."""

    def __init__(
        self,
        apps: Apps,
        sender: Sends,
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
        call_later: CallLater,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """``now`` is Unix time; ``clock`` times pauses. Raises ``ValueError``: a faulty webhook."""
        self.tally = WebhookTally()
        self._sender = sender
        self._now = now
        self._clock = clock
        self._call_later = call_later
        self._spawn = spawn
        self._told = Told(self._tell, clock, call_later)
        self._backlogs: list[Backlog] = []
        self._outages: list[Outage] = []
        self._batches = {
            app.id: [self._batch(app, number) for number in range(len(app.webhooks))]
            for app in apps
            if app.webhooks
        }
        self._is_stopping = False
        #: Waited for by ``stop``: the last delivery has left, or the deadline has passed.
        self._emptied: Deferred[None] | None = None
        self._deadline: Timer

    def _batch(self, app: App, index: int) -> Batch:
        target = Target(app, app.webhooks[index], index + 1)
        outage = Outage(target.name, self._clock)
        backlog = Backlog(
            partial(self._sender.post, target),
            clock=self._clock,
            call_later=self._call_later,
            spawn=self._spawn,
            trouble=outage,
            tally=self.tally,
            on_empty=self._one_is_empty,
        )
        self._backlogs.append(backlog)
        self._outages.append(outage)
        return Batch(
            target,
            partial(self._deliver, backlog),
            now=self._now,
            clock=self._clock,
            call_later=self._call_later,
        )

    # -- telling -----------------------------------------------------------------------

    def __call__(self, notice: Notice) -> None:
        """Tell whoever wants to know of it, now or after the grace; never waits or raises."""
        if self._is_stopping or not isinstance(notice, WebhookNotice):
            return
        batches = self._batches.get(notice.app_id)
        if batches is None:
            return
        kinds = KINDS_OF[type(notice)]
        if any(batch.target.wants_any(kinds, notice.channel) for batch in batches):
            self._told.hear(notice)

    def _tell(self, event: Event) -> None:
        encoded = None
        for batch in self._batches[event.app_id]:
            if batch.target.wants(event.name, event.channel):
                if encoded is None:
                    encoded = encode(event)
                batch.add(event.channel, encoded)

    def _deliver(self, backlog: Backlog, delivery: Delivery) -> None:
        backlog.add(delivery)
        while self.tally.queued_bytes > MOST_BYTES_IN_ALL:
            longest = max(self._backlogs, key=lambda backlog: backlog.bytes)
            longest.drop_oldest(f"{MOST_BYTES_IN_ALL} bytes wait for all webhooks together")

    # -- stopping ----------------------------------------------------------------------

    async def stop(self, seconds: float) -> None:
        """Tell what is held back and that everybody has gone, then wait for what is under way.

        Returns when all is sent or given up, after ``seconds`` at the latest; what then still
        waits is dropped. Nothing is heard from here on.
        """
        self._is_stopping = True
        self._told.end()
        for batches in self._batches.values():
            for batch in batches:
                batch.close()
        for backlog in self._backlogs:
            backlog.hasten()
        if any(map(len, self._backlogs)):
            self._emptied = Deferred()
            self._deadline = self._call_later(seconds, partial(self._emptied.callback, None))
            await self._emptied
            self._emptied = None
        for backlog in self._backlogs:
            backlog.abandon("the relay is stopping")
        await self._sender.close()
        for outage in self._outages:
            outage.stopped()

    def hurry(self) -> None:
        """While ``stop`` waits: wait no more."""
        if self._emptied is not None:
            self._deadline.cancel()
            self._emptied.callback(None)

    def _one_is_empty(self) -> None:
        if not any(map(len, self._backlogs)):
            self.hurry()
