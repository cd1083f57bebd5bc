"""A client of pysher (PyPI), which lives in a thread of the tests' own process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Condition
from typing import Any

import pysher  # type: ignore[import-untyped]

from tests.clients.listening import Found, Listener, Report
from tests.clients.program import DEADLINE
from tests.clients.relay import Relay

NewPysher = Callable[..., "PysherClient"]  # what the fixture `pysher` gives


class _Reports:
    """Filled by the thread of pysher, awaited by that of the test."""

    def __init__(self) -> None:
        self._reports: list[Mapping[str, Any]] = []
        self._changed = Condition()

    def add(self, **report: object) -> None:
        with self._changed:
            self._reports.append(report)
            self._changed.notify_all()

    def reports(self) -> Sequence[Mapping[str, Any]]:
        return list(self._reports)

    def wait_for(self, look: Callable[[], Found | None], wanted: str) -> Found:
        ends = time.monotonic() + DEADLINE
        with self._changed:
            while (found := look()) is None:
                if not self._changed.wait(max(ends - time.monotonic(), 0.0)):
                    raise AssertionError(f"waited for {wanted}; none came within {DEADLINE:g} s")
            return found


class PysherClient(Listener):
    """Connects as a user who signs his channels himself, as pysher does with the app's secret.

    What it hears has the data that pysher gives: a text.
    """

    def __init__(self, relay: Relay, user: str) -> None:
        self._reported = _Reports()
        super().__init__(self._reported, user)
        self._pusher = pysher.Pusher(
            relay.app.key,
            secret=relay.app.secret,
            user_data={"user_id": user, "user_info": {"name": user.title()}},
            custom_host=relay.host,
            port=relay.port,
            secure=False,
        )
        connection = self._pusher.connection
        pass_on = connection.event_handler

        def tell(event: str, data: object, channel: str) -> None:
            # First pysher, whose bindings are told, and then we, as with pusher-js.
            pass_on(event, data, channel)
            self._reported.add(source="frame", event=event, channel=channel, data=data)

        connection.event_handler = tell
        connection.bind(
            "pusher:connection_established",
            lambda _: self._reported.add(source="state", event="connected"),
        )
        connection.bind(
            "pusher:pong",
            lambda data: self._reported.add(source="frame", event="pusher:pong", data=data),
        )
        self._pusher.connect()

    @property
    def socket_id(self) -> str:
        return str(self._pusher.connection.socket_id)

    def ask_to_subscribe(self, channel: str, *events: str) -> None:
        """Binds the events once it has asked: what comes before that is heard as a frame only."""
        subscription = self._pusher.subscribe(channel)
        for event in events:
            subscription.bind(
                event,
                lambda data, event=event: self._reported.add(
                    source="channel", event=event, channel=channel, data=data
                ),
            )

    def subscribe(self, channel: str, *events: str) -> Any:
        """Binds the events, and returns what the server's confirmation came with."""
        self.ask_to_subscribe(channel, *events)
        return self.hear_frame("pusher_internal:subscription_succeeded", channel).data

    def unsubscribe(self, channel: str) -> None:
        self._pusher.unsubscribe(channel)

    def trigger(self, channel: str, event: str, data: object) -> None:
        self._pusher.channel(channel).trigger(event, data)

    def hear(self, event: str, channel: str) -> Report:
        """Waits for the event on a binding of the channel."""
        return self.expect(event, source="channel", channel=channel)

    def disconnect(self) -> None:
        # Not waiting for its thread: that may look at the closed socket for 100 s more (1.0.8).
        self._pusher.disconnect(0)
