"""An office with rules, and people in it: real sessions and a real hall."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.doubles import Heard, an_app
from tests.pusher.relayed import Relayed
from wsrelay.core.rules import Rule

OFFICE = "presence-office.1"


#: One is taken for the other: see ``over_nodes``.
Office = Any
Person = Any
NewOffice = Callable[..., Office]


def rule_of_offices(**rules: Any) -> Rule:
    return Rule(channels="*-office.*", **rules)


def an_office(rate: float = 0, **rules: Any) -> Relayed:
    """A relay whose app has these rules in its offices; ``rate`` is ``client_event_rate``."""
    return Relayed(an_app(rules=(rule_of_offices(**rules),), client_event_rate=rate))


def people(office: Office, *names: str, channel: str = OFFICE) -> list[Person]:
    """Members who have joined in this order, and have heard so."""
    clients = [office.connect() for _ in names]
    for client, name in zip(clients, names, strict=True):
        if channel.startswith("presence-"):
            client.join(channel, name)
        else:
            client.subscribe(channel)
    for client in clients:
        client.heard()
    return clients


def heard_of(client: Person) -> list[tuple[str, Any, str | None]]:
    """Event, data and user id of all that was heard since the last time."""
    return [spoken(message) for message in client.heard()]


def spoken(message: Heard) -> tuple[str, Any, str | None]:
    data = message["data"]
    return (
        message["event"],
        json.loads(data) if isinstance(data, str) else data,
        message.get("user_id"),
    )


def move(client: Person, x: Any, y: Any = 0, channel: str = OFFICE) -> None:
    client.whisper(channel, {"x": x, "y": y}, "client-move")


def places(client: Person) -> list[tuple[str | None, float]]:
    """Whose ``x`` was heard since the last time, in order; nothing else may have been."""
    found = []
    for event, data, user_id in heard_of(client):
        assert event == "client-move"
        found.append((user_id, data["x"]))
    return found
