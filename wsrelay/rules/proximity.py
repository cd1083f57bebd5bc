"""Proximity: positions reach those who are near, and both sides hear who has come and gone.

Who is not near hears of a move ``beyond_rate`` times a second, the last one always, or not at all.
Whoever has not said where he is cannot be near or far, and hears of everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Set

from msgspec import Struct, json

from ..core.frame import Frame
from ..core.notices import Tally
from ..core.ports import CallLater, Slot, Subscriber, Timer
from ..core.remarks import Stand
from ..core.rules import Proximity as Settings
from .grid import Grid, Place
from .present import Present
from .terms import AWAY, NEARBY


class Nearby(Struct):
    """The ``data`` of ``client-nearby``."""

    user_id: str
    distance: float
    caller: str


class Away(Struct):
    """The ``data`` of ``client-away``."""

    user_id: str


At = tuple[float, float]

_encode = json.Encoder().encode


class Proximity:
    """The places of one channel's members."""

    def __init__(
        self,
        channel: str,
        settings: Settings,
        present: Present,
        frame_of: Callable[[str, str], Frame],
        tally: Tally,
        call_later: CallLater,
    ) -> None:
        self._channel = channel
        self._present = present
        self._frame_of = frame_of
        self._tally = tally
        self._call_later = call_later
        self._grid = Grid(settings.radius, settings.hysteresis)
        self._pause = 1 / settings.beyond_rate if settings.beyond_rate else None
        self._places: dict[str, Place] = {}
        #: Connections of members who have no place.
        self._placeless: dict[str, Subscriber] = {}
        #: Those who moved since all others were told.
        self._moved: dict[Place, None] = {}
        self._timer: Timer | None = None

    # -- moving ------------------------------------------------------------------------

    def moved(self, name: str, at: At, frame: Frame, slot: Slot) -> int:
        """A member has said where he is: tell those who are to know. How many were."""
        place = self._places.get(name) or self._new_place(name)
        come, gone = self._grid.move(place, *at)
        count = self._tell(place, frame, slot)
        self._tell_changes(place, come, gone, is_told=True)
        return count

    def moved_early(self, name: str, frame: Frame, slot: Slot) -> int:
        """The same, but who is near now will be judged later: see ``judge``."""
        return self._tell(self._places.get(name) or self._new_place(name), frame, slot)

    def judge(self, name: str, at: At) -> None:
        """A member who was heard of has come there, unless he is gone meanwhile."""
        place = self._places.get(name)
        if place is not None:
            self._tell_changes(place, *self._grid.move(place, *at))

    def judge_here(self, name: str, at: At) -> None:
        """The same among this node's members; who else is near ``adopt`` is to say."""
        place = self._places.get(name)
        if place is not None:
            self._grid.put(place, *at)
            if name in self._present:
                self._tell_changes(place, *self._grid.settle(place, among=self._present))

    def _tell(self, place: Place, frame: Frame, slot: Slot) -> int:
        """Those who are near, the member's other tabs, and whoever hears of everybody."""
        place.frame, place.slot = frame, slot
        count = self._tell_near(place) + self._tell_own_tabs(place)
        for subscriber in self._placeless.values():
            subscriber.send_newest(frame, slot)
        if self._pause is not None:
            self._moved[place] = None
            if self._timer is None:
                self._timer = self._call_later(self._pause, self._tell_beyond)
        return count + len(self._placeless)

    def _tell_changes(
        self, place: Place, come: list[Place], gone: list[Place], *, is_told: bool = False
    ) -> None:
        """``is_told``: those who have come have the newest position already."""
        for other in come:
            for subscriber in place.connections.values():
                subscriber.send_newest(other.frame, other.slot)
            if not is_told:
                for subscriber in other.connections.values():
                    subscriber.send_newest(place.frame, place.slot)
                self._tally.deliveries += len(other.connections)
            self._tally.deliveries += len(place.connections)
            self._tell_nearby(place, other)
        for other in gone:
            self._tell_away(place, other)
            self._tell_away(other, place)

    def _new_place(self, name: str) -> Place:
        place = self._places[name] = Place(name, self._present.connections(name))
        for socket_id in place.connections:
            self._placeless.pop(socket_id, None)
        return place

    @staticmethod
    def _tell_near(place: Place) -> int:
        frame, slot, count = place.frame, place.slot, 0
        for other in place.near:
            for subscriber in other.connections.values():
                subscriber.send_newest(frame, slot)
                count += 1
        return count

    @staticmethod
    def _tell_own_tabs(place: Place) -> int:
        frame, slot, count = place.frame, place.slot, 0
        sender = slot[2]
        for socket_id, subscriber in place.connections.items():
            if socket_id != sender:
                subscriber.send_newest(frame, slot)
                count += 1
        return count

    def _tell_beyond(self) -> None:
        self._timer = None
        moved, self._moved = self._moved, {}
        count = 0
        for place in moved:
            frame, slot, near = place.frame, place.slot, place.near
            for other in self._places.values():
                if other not in near and other is not place:
                    for subscriber in other.connections.values():
                        subscriber.send_newest(frame, slot)
                        count += 1
        self._tally.deliveries += count

    # -- coming near and going away ----------------------------------------------------

    def _tell_nearby(self, one: Place, other: Place) -> None:
        for subscriber in one.connections.values():
            self._send_nearby(subscriber, one, other)
        for subscriber in other.connections.values():
            self._send_nearby(subscriber, other, one)

    def _send_nearby(self, subscriber: Subscriber, own: Place, other: Place) -> None:
        caller = min(own.name, other.name)
        nearby = Nearby(other.name, round(own.distance(other), 2), caller)
        self._send(subscriber, NEARBY, nearby)

    def _tell_away(self, place: Place, other: Place) -> None:
        for subscriber in place.connections.values():
            self._send(subscriber, AWAY, Away(other.name))

    def _send(self, subscriber: Subscriber, event: str, data: Nearby | Away) -> None:
        subscriber.send(self._frame_of(event, _encode(data).decode()))
        self._tally.deliveries += 1

    # -- what other nodes know ---------------------------------------------------------

    def stands(
        self, names: Container[str], moving: Mapping[str, At]
    ) -> Iterator[tuple[Place, At, tuple[str, ...]]]:
        """The places of these members, where they are, and the names of those who are near.

        ``moving``: where members are who have not been judged there yet.
        """
        for name, place in self._places.items():
            at = moving.get(name) or ((place.x, place.y) if place.cell is not None else None)
            if at is not None and name in names:
                yield place, at, tuple(other.name for other in place.near)

    def show(self, stand: Stand, *, is_told: bool) -> None:
        """What a member said last, as another node knows it. ``is_told``: all have been sent it."""
        known = self._places.get(stand.name)
        place = known or self._new_place(stand.name)
        if known is None or place.frame.payload != stand.payload:
            place.frame = Frame(stand.payload)
            place.slot = (self._channel, stand.event, stand.socket_id)
            if known is not None and not is_told:
                self._tally.deliveries += self._tell(place, place.frame, place.slot)

    def adopt(self, stands: Iterable[Stand], said: Set[frozenset[str]]) -> None:
        """Put members where another node says they are, and tell what comes of it.

        ``said``: pairs of names who were near so far.
        """
        for stand in stands:
            place = self._places.get(stand.name)
            if place is not None and stand.at is not None:
                self._grid.put(place, *stand.at)
                self._tell_changes(place, *self._grid.settle(place, said))

    # -- coming and going --------------------------------------------------------------

    def joined(self, subscriber: Subscriber, name: str) -> None:
        """A connection is there; one more of a member who has a place hears who is near him."""
        place = self._places.get(name)
        if place is None:
            self._placeless[subscriber.socket_id] = subscriber
            return
        place.connections = self._present.connections(name)
        for other in place.near:
            self._send_nearby(subscriber, place, other)

    def left(self, socket_id: str) -> None:
        """A connection is gone."""
        self._placeless.pop(socket_id, None)

    def gone(self, name: str) -> None:
        """A member is gone, with his last connection."""
        place = self._places.pop(name, None)
        if place is None:
            return
        self._moved.pop(place, None)
        for other in self._grid.remove(place):
            self._tell_away(other, place)

    def end(self) -> None:
        """The channel is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
