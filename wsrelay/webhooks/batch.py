"""From events to signed request bodies: which events go together, and how they are written.

The form is Pusher's: ``{"time_ms": …, "events": [{"name": …, "channel": …, …}]}``. The signature is
made of the very bytes that are sent, after every filter; ``time_ms`` is when the body was made, and
stays through all attempts, because receivers refuse what is older than five minutes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import json

from ..core.apps import KB, App
from ..core.ports import CallLater, Timer
from .target import Target
from .told import Event

#: Seconds that the first event of a batch waits for others.
WINDOW = 0.05
MOST_EVENTS = 100
#: Bytes of a body; an event that is longer by itself still goes, alone.
MOST_BYTES = 256 * KB

#: The line in which batches stand. It is no channel's name.
ALL_CHANNELS = ""


@dataclass(eq=False, slots=True)
class Delivery:
    """One request to be made, however many attempts that takes."""

    #: Deliveries of one line are made one after another: the channel, or ``ALL_CHANNELS``.
    line: str
    body: bytes
    #: 64 lower-case hex digits.
    signature: str
    #: Seconds of the relay's clock.
    created: float
    attempts: int = 0


def encode(event: Event) -> bytes:
    """The event as an object of a body's ``events``."""
    return json.encode({"name": event.name, "channel": event.channel, **event.details})


def body_of(events: list[bytes], time_ms: int) -> bytes:
    return b'{"time_ms":%d,"events":[%b]}' % (time_ms, b",".join(events))


def signature_of(app: App, body: bytes) -> str:
    return hmac.digest(app.secret.reveal(), body, "sha256").hex()


class Batch:
    """Gathers the events for one target; without ``webhook_batching`` each goes by itself."""

    def __init__(
        self,
        target: Target,
        deliver: Callable[[Delivery], None],
        *,
        now: Callable[[], float],
        clock: Callable[[], float],
        call_later: CallLater,
    ) -> None:
        """``now`` is Unix time, ``clock`` that by which attempts are timed; both in seconds."""
        self.target = target
        self._deliver = deliver
        self._now = now
        self._clock = clock
        self._call_later = call_later
        self._events: list[bytes] = []
        self._size = 0
        self._timer: Timer | None = None

    def add(self, channel: str, event: bytes) -> None:
        """Take an event that the target wants, already encoded."""
        if not self.target.app.webhook_batching:
            self._send(channel, [event])
            return
        if self._events and self._size + len(event) > MOST_BYTES:
            self.close()
        self._events.append(event)
        self._size += len(event) + 1
        if len(self._events) == MOST_EVENTS:
            self.close()
        elif self._timer is None:
            self._timer = self._call_later(WINDOW, self._close_in_time)

    def close(self) -> None:
        """Send what has been gathered without waiting for more."""
        if self._timer is not None:
            self._timer.cancel()
            self._close_in_time()

    def _close_in_time(self) -> None:
        self._timer = None
        events, self._events, self._size = self._events, [], 0
        self._send(ALL_CHANNELS, events)

    def _send(self, line: str, events: list[bytes]) -> None:
        body = body_of(events, round(self._now() * 1000))
        signature = signature_of(self.target.app, body)
        self._deliver(Delivery(line, body, signature, self._clock()))
