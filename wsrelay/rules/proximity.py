"""Proximity: positions reach those who are near, and both sides hear who has come and gone.

Who is not near hears of a move ``beyond_rate`` times a second, the last one always, or not at all.
Whoever has not said where he is cannot be near or far, and hears of everybody.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, json

from ..core.frame import Frame
from ..core.notices import Tally
from ..core.ports import CallLater, Slot, Subscriber, Timer
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


_encode = json.Encoder().encode


class Proximity:
    """The places of one channel's members."""

    def __init__(
        self,
        settings: Settings,
        present: Present,
        frame_of: Callable[[str, str], Frame],
        tally: Tally,
        call_later: CallLater,
    ) -> None:
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

    def moved(self, name: str, at: tuple[float, float], frame: Frame, slot: Slot) -> int:
        """A member has said where he is: tell those who are to know. How many were."""
        place = self._places.get(name) or self._new_place(name)
        come, gone = self._grid.move(place, *at)
        place.frame, place.slot = frame, slot
        count = self._tell_near(place) + self._tell_own_tabs(place)
        for subscriber in self._placeless.values():
            subscriber.send_newest(frame, slot)
        for other in come:
            for subscriber in place.connections.values():
                subscriber.send_newest(other.frame, other.slot)
            self._tell_nearby(place, other)
        for other in gone:
            self._tell_away(place, other)
            self._tell_away(other, place)
        if self._pause is not None:
            self._moved[place] = None
            if self._timer is None:
                self._timer = self._call_later(self._pause, self._tell_beyond)
        return count + len(self._placeless) + len(come) * len(place.connections)

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
        if len(place.connections) > 1:
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
