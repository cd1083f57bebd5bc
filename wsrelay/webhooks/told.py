"""What the receivers have been told, and so what is news to them.

Backends keep a picture of channels and members from webhooks alone, so what counts is not what is
true at this moment but what they were told last. Whoever leaves is held for ``GRACE`` seconds: if
he is back by then, as after the reload of a page, nothing is told at all, and otherwise one
removal. So no receiver hears the same twice in a row about a channel or a member, and the
picture is right at the latest ``GRACE`` seconds after the last change.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ..core.apps import WebhookEvent
from ..core.notices import (
    CacheMissed,
    ChannelOccupied,
    ChannelVacated,
    ClientEventSent,
    MemberAdded,
    MemberRemoved,
    SubscriptionCounted,
)
from ..core.ports import CallLater, Timer

#: Seconds for which ``channel_vacated`` and ``member_removed`` are held back.
GRACE = 3.0
#: Seconds in which a channel's ``cache_miss`` is told once, however many miss.
MISS_WINDOW = 1.0
#: Who may be held at once; past it the longest held is told early.
MOST_HELD = 100_000
#: Channels whose last ``cache_miss`` is remembered; past it the oldest may be told again.
MOST_MISSES = 10_000
#: Removals told in one go, so that a hall of thousands that leaves does not stop the reactor.
SLICE = 500

WebhookNotice = (
    ChannelOccupied
    | ChannelVacated
    | MemberAdded
    | MemberRemoved
    | ClientEventSent
    | CacheMissed
    | SubscriptionCounted
)

OCCUPANCY: frozenset[WebhookEvent] = frozenset({"channel_occupied", "channel_vacated"})
MEMBERSHIP: frozenset[WebhookEvent] = frozenset({"member_added", "member_removed"})

#: The kinds of events that may come of a notice, at once or later.
KINDS_OF: dict[type[WebhookNotice], frozenset[WebhookEvent]] = {
    ChannelOccupied: OCCUPANCY,
    ChannelVacated: OCCUPANCY,
    MemberAdded: MEMBERSHIP,
    MemberRemoved: MEMBERSHIP,
    ClientEventSent: frozenset({"client_event"}),
    CacheMissed: frozenset({"cache_miss"}),
    SubscriptionCounted: frozenset({"subscription_count"}),
}

#: Something that is there or is not: a channel (without a user), or a member of it.
Subject = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class Event:
    """One event for the receivers of an app; ``details`` are the fields after the channel."""

    app_id: str
    name: WebhookEvent
    channel: str
    details: dict[str, str | int]


class Told:
    """Turns notices into events. Remembers only who is there and who has left lately."""

    def __init__(
        self,
        tell: Callable[[Event], None],
        clock: Callable[[], float],
        call_later: CallLater,
        is_news: bool = False,
    ) -> None:
        """``is_news``: whatever is heard is to be told, once and now."""
        self._is_news = is_news
        self._tell = tell
        self._clock = clock
        self._call_later = call_later
        #: Who is there as far as the receivers know.
        self._present: set[Subject] = set()
        #: Those of them who have left, and when that is to be told; the first comes first.
        self._leaving: OrderedDict[Subject, float] = OrderedDict()
        self._timer: Timer | None = None
        #: When a channel's ``cache_miss`` was told; the oldest first.
        self._missed: OrderedDict[tuple[str, str], float] = OrderedDict()

    def hear(self, notice: WebhookNotice) -> None:
        """Tell what is news, now or later."""
        app_id, channel = notice.app_id, notice.channel
        if isinstance(notice, ClientEventSent):
            details: dict[str, str | int] = {
                "event": notice.event,
                "data": notice.data,
                "socket_id": notice.socket_id,
            }
            if notice.user_id is not None:
                details["user_id"] = notice.user_id
            self._tell(Event(app_id, "client_event", channel, details))
        elif isinstance(notice, ChannelOccupied):
            self._arrive((app_id, channel, None))
        elif isinstance(notice, ChannelVacated):
            self._leave((app_id, channel, None))
        elif isinstance(notice, MemberAdded):
            self._arrive((app_id, channel, notice.user_id))
        elif isinstance(notice, MemberRemoved):
            self._leave((app_id, channel, notice.user_id))
        elif isinstance(notice, CacheMissed):
            self._miss((app_id, channel))
        else:
            details = {"subscription_count": notice.count}
            self._tell(Event(app_id, "subscription_count", channel, details))

    def forget_unless(self, is_wanted: Callable[[Subject], bool]) -> None:
        """Nobody is to hear any more of those who are not wanted; they may be news again later."""
        gone = {subject for subject in self._present if not is_wanted(subject)}
        self._present -= gone
        for subject in gone & self._leaving.keys():
            del self._leaving[subject]

    def end(self) -> None:
        """The relay stops, and everybody goes with it: tell that now, members first."""
        everybody = [*self._leaving, *(self._present - self._leaving.keys())]
        for subject in sorted(everybody, key=lambda subject: subject[2] is None):
            self._tell_removed(subject)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arrive(self, subject: Subject) -> None:
        if not self._is_news and subject in self._present:
            self._leaving.pop(subject, None)
            return
        if not self._is_news:
            self._present.add(subject)
        app_id, channel, user_id = subject
        if user_id is None:
            self._tell(Event(app_id, "channel_occupied", channel, {}))
        else:
            self._tell(Event(app_id, "member_added", channel, {"user_id": user_id}))

    def _leave(self, subject: Subject) -> None:
        if self._is_news:
            self._tell_removed(subject)
            return
        if subject not in self._present or subject in self._leaving:
            return
        due = self._clock() + GRACE
        self._leaving[subject] = due
        app_id, name, user_id = subject
        channel = (app_id, name, None)
        if user_id is not None and channel in self._leaving:  # it goes after its last member
            self._leaving[channel] = due
            self._leaving.move_to_end(channel)
        if len(self._leaving) > MOST_HELD:
            self._tell_removed(next(iter(self._leaving)))
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is None and self._leaving:
            first_due = next(iter(self._leaving.values()))
            self._timer = self._call_later(max(0.0, first_due - self._clock()), self._tell_due)

    def _tell_due(self) -> None:
        self._timer = None
        now = self._clock()
        for _ in range(SLICE):
            if not self._leaving or next(iter(self._leaving.values())) > now:
                break
            self._tell_removed(next(iter(self._leaving)))
        self._set_timer()

    def _tell_removed(self, subject: Subject) -> None:
        self._leaving.pop(subject, None)
        self._present.discard(subject)
        app_id, channel, user_id = subject
        if user_id is None:
            self._tell(Event(app_id, "channel_vacated", channel, {}))
        else:
            self._tell(Event(app_id, "member_removed", channel, {"user_id": user_id}))

    def _miss(self, channel: tuple[str, str]) -> None:
        now = self._clock()
        missed = self._missed
        while missed and next(iter(missed.values())) + MISS_WINDOW <= now:
            missed.popitem(last=False)
        if channel in missed:
            return
        if len(missed) >= MOST_MISSES:
            missed.popitem(last=False)
        missed[channel] = now
        self._tell(Event(channel[0], "cache_miss", channel[1], {}))
