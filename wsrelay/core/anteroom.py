"""Where a new subscriber of a cache channel stands while the channel is asked what it remembers.

What is said meanwhile must reach him, and behind what was remembered; without this it would be
lost between the question and the subscription.
"""

from __future__ import annotations

from .frame import Frame
from .ports import Slot, Subscriber


class Anteroom:
    """Stands in a channel for a subscriber, and keeps what is sent to him.

    Nothing bounds it but the time that one question takes, in which a client may be sent no more
    than it would be sent anyway.
    """

    __slots__ = ("frames", "subscriber")

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.frames: list[Frame] = []

    @property
    def socket_id(self) -> str:
        return self.subscriber.socket_id

    def send(self, frame: Frame) -> None:
        self.frames.append(frame)

    def send_newest(self, frame: Frame, slot: Slot) -> None:
        self.frames.append(frame)
