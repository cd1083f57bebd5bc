"""The room's one face: hears of what happens, and tells those who want to know.

notice -> told (is it news?) -> target (who wants it?) -> batch -> backlog -> sender
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred

from ..core.apps import KB, App
from ..core.notices import Notice
from ..core.ports import CallLater, Timer
from .backlog import Backlog
from .batch import Batch, Delivery, encode
from .outage import Outage
from .tally import WebhookTally
from .target import Target
from .told import KINDS_OF, MEMBERSHIP, OCCUPANCY, Event, Subject, Told, WebhookNotice

#: Bytes that may wait for all receivers together; past it the longest backlog loses its oldest.
MOST_BYTES_IN_ALL = 64 * KB * KB


class Sends(Protocol):
    """Makes one attempt; see ``sender.Sender``."""

    def post(self, target: Target, delivery: Delivery) -> Awaitable[None]: ...

    def close(self) -> Coroutine[Any, Any, None]: ...


class _Receiver(NamedTuple):
    """One webhook: what is gathered for it, what waits for it, and how it does."""

    batch: Batch
    backlog: Backlog
    outage: Outage


class Messenger:
    """An observer that tells the webhooks of all apps. ``tally`` counts what became of it."""

    def __init__(
        self,
        apps: Iterable[App],
        sender: Sends,
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
        call_later: CallLater,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        is_news: bool = False,
    ) -> None:
        """``now`` is Unix time; ``clock`` times pauses. Raises ``ValueError``: a faulty webhook.

        ``is_news``: every notice is; whoever gives them has seen to that, over all nodes.
        """
        self.tally = WebhookTally()
        self._sender = sender
        self._now = now
        self._clock = clock
        self._call_later = call_later
        self._spawn = spawn
        self._told = Told(self._tell, clock, call_later, is_news=is_news)
        self._receivers: dict[str, list[_Receiver]] = {}
        #: No longer configured so, and asked until nothing waits for them any more.
        self._former: list[_Receiver] = []
        self.prepare(apps)()
        self._is_stopping = False
        #: Waited for by ``stop``: the last delivery has left, or the deadline has passed.
        self._emptied: Deferred[None] | None = None
        self._deadline: Timer

    # -- who is told -------------------------------------------------------------------

    def prepare(self, apps: Iterable[App]) -> Callable[[], None]:
        """Look at what is configured; raise ``ValueError`` for a faulty webhook, change nothing.

        What is returned changes over. A webhook that stays as it was keeps what waits for it; for
        one that is gone or changed, what happened before is still delivered, signed as it was. A
        new one hears of what happens from then on.
        """
        receivers = {
            app.id: [
                self._same(app, index) or self._receiver(app, index)
                for index in range(len(app.webhooks))
            ]
            for app in apps
            if app.webhooks
        }
        return partial(self._change_over, receivers)

    def _same(self, app: App, index: int) -> _Receiver | None:
        """The one that is there already, if everything by which it goes is as it was."""
        for receiver in self._receivers.get(app.id, ())[index : index + 1]:
            if receiver.batch.target.is_same(app, app.webhooks[index]):
                return receiver
        return None

    def _change_over(self, receivers: dict[str, list[_Receiver]]) -> None:
        former = list(chain.from_iterable(self._receivers.values()))
        self._receivers = receivers
        current = set(map(id, chain.from_iterable(receivers.values())))
        for receiver in former:
            if id(receiver) not in current:
                self._former.append(receiver)
                receiver.batch.close()
        self._told.forget_unless(self._is_wanted)
        self._let_go()

    def _is_wanted(self, subject: Subject) -> bool:
        app_id, channel, user_id = subject
        kinds = OCCUPANCY if user_id is None else MEMBERSHIP
        return any(
            receiver.batch.target.wants_any(kinds, channel)
            for receiver in self._receivers.get(app_id, ())
        )

    def _let_go(self) -> None:
        for receiver in [each for each in self._former if not len(each.backlog)]:
            self._former.remove(receiver)
            receiver.outage.ended("it was taken out of the configuration")

    def _everybody(self) -> Iterator[_Receiver]:
        return chain(self._former, *self._receivers.values())

    def _receiver(self, app: App, index: int) -> _Receiver:
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
        batch = Batch(
            target,
            partial(self._deliver, backlog),
            now=self._now,
            clock=self._clock,
            call_later=self._call_later,
        )
        return _Receiver(batch, backlog, outage)

    # -- telling -----------------------------------------------------------------------

    def __call__(self, notice: Notice) -> None:
        """Tell whoever wants to know of it, now or after the grace; never waits or raises."""
        if self._is_stopping or not isinstance(notice, WebhookNotice):
            return
        receivers = self._receivers.get(notice.app_id)
        if receivers is None:
            return
        kinds = KINDS_OF[type(notice)]
        if any(each.batch.target.wants_any(kinds, notice.channel) for each in receivers):
            self._told.hear(notice)

    def _tell(self, event: Event) -> None:
        encoded = None
        for batch, _, _ in self._receivers[event.app_id]:
            if batch.target.wants(event.name, event.channel):
                if encoded is None:
                    encoded = encode(event)
                batch.add(event.channel, encoded)

    def _deliver(self, backlog: Backlog, delivery: Delivery) -> None:
        backlog.add(delivery)
        while self.tally.queued_bytes > MOST_BYTES_IN_ALL:
            longest = max((each.backlog for each in self._everybody()), key=_bytes_of)
            longest.drop_oldest(f"{MOST_BYTES_IN_ALL} bytes wait for all webhooks together")

    # -- stopping ----------------------------------------------------------------------

    async def stop(self, seconds: float) -> None:
        """Tell what is held back and that everybody has gone, then wait for what is under way.

        Returns when all is sent or given up, after ``seconds`` at the latest; what then still
        waits is dropped. Nothing is heard from here on.
        """
        self._is_stopping = True
        self._told.end()
        everybody = tuple(self._everybody())
        for receiver in everybody:
            receiver.batch.close()
        for receiver in everybody:
            receiver.backlog.hasten()
        if self._waits():
            self._emptied = Deferred()
            self._deadline = self._call_later(seconds, partial(self._emptied.callback, None))
            await self._emptied
            self._emptied = None
        for receiver in everybody:
            receiver.backlog.abandon("the relay is stopping")
        await self._sender.close()
        for receiver in everybody:
            receiver.outage.ended("the relay stopped")

    def _waits(self) -> bool:
        return any(len(each.backlog) for each in self._everybody())

    def hurry(self) -> None:
        """While ``stop`` waits: wait no more."""
        if self._emptied is not None:
            self._deadline.cancel()
            self._emptied.callback(None)

    def _one_is_empty(self) -> None:
        if not self._is_stopping:
            self._let_go()
        elif not self._waits():
            self.hurry()


def _bytes_of(backlog: Backlog) -> int:
    return backlog.bytes
