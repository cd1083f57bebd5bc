"""wsrelay.webhooks.batch"""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.doubles import APP, an_app
from tests.properties import channel_names, texts
from wsrelay.core.apps import Webhook
from wsrelay.webhooks import batch as batch_module
from wsrelay.webhooks.batch import (
    ALL_CHANNELS,
    MOST_EVENTS,
    WINDOW,
    Batch,
    Delivery,
    body_of,
    encode,
    signature_of,
)
from wsrelay.webhooks.target import Target
from wsrelay.webhooks.told import Event

OCCUPIED = Event("482931", "channel_occupied", "presence-lobby", {})
ADDED = Event("482931", "member_added", "presence-lobby", {"user_id": "42"})
#: What a backend library accepts, as published with the protocol.
BODY = (
    b'{"time_ms":1767225600123,"events":[{"name":"channel_occupied","channel":"presence-lobby"},'
    b'{"name":"member_added","channel":"presence-lobby","user_id":"42"}]}'
)
SIGNATURE = "536ce146dea64b4fd0fb25f2ffa2c2781e9fe65ddd7c6b6e83c5284d7ccabbd6"


class Gathering:
    """A batch with a clock that the test moves, and all that it delivered."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.deliveries: list[Delivery] = []
        webhook = Webhook(url="https://example.com/hook")
        self.batch = Batch(
            Target(an_app(webhooks=(webhook,), **settings), webhook, 1),
            self.deliveries.append,
            now=lambda: 1767225600.1234 + self.clock.seconds(),
            clock=lambda: 70 + self.clock.seconds(),
            call_later=self.clock.callLater,
        )

    def add(self, *events: Event) -> None:
        for event in events:
            self.batch.add(event.channel, encode(event))

    def sizes(self) -> list[int]:
        """How many events each request has had."""
        return [len(json.loads(delivery.body)["events"]) for delivery in self.deliveries]


def test_the_published_vector_comes_out_to_the_byte() -> None:
    gathering = Gathering(webhook_batching=True)
    gathering.add(OCCUPIED, ADDED)
    gathering.batch.close()
    [delivery] = gathering.deliveries
    assert delivery.body == BODY
    assert delivery.signature == SIGNATURE


def test_without_batching_every_event_is_a_request_at_once() -> None:
    gathering = Gathering()
    gathering.add(OCCUPIED, ADDED)
    assert [json.loads(delivery.body)["events"] for delivery in gathering.deliveries] == [
        [{"name": "channel_occupied", "channel": "presence-lobby"}],
        [{"name": "member_added", "channel": "presence-lobby", "user_id": "42"}],
    ]
    assert {delivery.line for delivery in gathering.deliveries} == {"presence-lobby"}
    assert gathering.clock.getDelayedCalls() == []


def test_with_batching_what_happens_together_goes_together() -> None:
    gathering = Gathering(webhook_batching=True)
    gathering.add(OCCUPIED)
    gathering.clock.advance(WINDOW - 0.001)
    gathering.add(ADDED)
    assert gathering.deliveries == []
    gathering.clock.advance(0.001)
    assert gathering.sizes() == [2]
    assert gathering.deliveries[0].line == ALL_CHANNELS
    gathering.add(ADDED)
    gathering.clock.advance(WINDOW)
    assert gathering.sizes() == [2, 1]


def test_the_time_is_that_of_the_body_s_making() -> None:
    gathering = Gathering(webhook_batching=True)
    gathering.add(OCCUPIED)
    gathering.clock.advance(WINDOW)
    [delivery] = gathering.deliveries
    assert json.loads(delivery.body)["time_ms"] == 1767225600173
    assert delivery.created == 70 + WINDOW


def test_a_batch_holds_a_hundred_events_and_the_next_one_starts_another() -> None:
    gathering = Gathering(webhook_batching=True)
    gathering.add(*[OCCUPIED] * (MOST_EVENTS - 1))
    assert gathering.sizes() == []
    gathering.add(*[OCCUPIED] * 2)
    assert gathering.sizes() == [MOST_EVENTS]
    gathering.clock.advance(WINDOW)
    assert gathering.sizes() == [MOST_EVENTS, 1]


def test_a_batch_is_no_longer_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    event = encode(OCCUPIED)
    monkeypatch.setattr(batch_module, "MOST_BYTES", 2 * len(event) + 1)
    gathering = Gathering(webhook_batching=True)
    gathering.add(OCCUPIED, OCCUPIED)
    assert gathering.sizes() == []
    gathering.add(OCCUPIED)
    assert gathering.sizes() == [2]
    monkeypatch.setattr(batch_module, "MOST_BYTES", 2 * len(event))
    gathering.add(OCCUPIED)
    assert gathering.sizes() == [2, 1]


def test_an_event_longer_than_a_batch_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "MOST_BYTES", 10)
    gathering = Gathering(webhook_batching=True)
    gathering.add(OCCUPIED, OCCUPIED)
    gathering.clock.advance(WINDOW)
    assert gathering.sizes() == [1, 1]


def test_closing_sends_what_there_is_and_an_empty_batch_sends_nothing() -> None:
    gathering = Gathering(webhook_batching=True)
    gathering.batch.close()
    gathering.add(OCCUPIED)
    gathering.batch.close()
    gathering.batch.close()
    gathering.clock.advance(WINDOW)
    assert gathering.sizes() == [1]


def test_the_signature_is_made_with_the_app_s_secret() -> None:
    assert signature_of(APP, BODY) == SIGNATURE
    assert signature_of(an_app(secret=type(APP.secret)("another")), BODY) != SIGNATURE
    assert signature_of(APP, BODY + b" ") != SIGNATURE


def test_a_client_event_s_data_is_a_string_as_delivered() -> None:
    details: dict[str, str | int] = {"event": "client-x", "data": '{"é":"\\n"}', "socket_id": "1.1"}
    assert json.loads(encode(Event("1", "client_event", "private-a", details))) == {
        "name": "client_event",
        "channel": "private-a",
        "event": "client-x",
        "data": '{"é":"\\n"}',
        "socket_id": "1.1",
    }


@given(st.lists(st.tuples(channel_names, texts), min_size=1, max_size=5))
def test_whatever_the_texts_the_body_is_json_and_its_signature_is_of_its_bytes(
    members: list[tuple[str, str]],
) -> None:
    events = [Event("1", "member_added", name, {"user_id": user}) for name, user in members]
    body = body_of([encode(event) for event in events], 5)
    assert json.loads(body) == {
        "time_ms": 5,
        "events": [
            {"name": "member_added", "channel": name, "user_id": user} for name, user in members
        ],
    }
    assert signature_of(APP, body) == hmac.new(APP.secret.reveal(), body, "sha256").hexdigest()
