"""``wsrelay trigger``: publish one event, as a backend does."""

from __future__ import annotations

import json
import sys
import time

import click

from ..core.apps import App
from . import outcome
from .chosen import Chosen, choosing
from .place import Answer, Place, Unreachable
from .signed import target_of


def publish(
    place: Place, app: App, channel: str, event: str, data: str, socket_id: str | None = None
) -> Answer:
    """The relay's answer to ``POST /apps/{id}/events``. Raises ``Unreachable``."""
    message = {"name": event, "channels": [channel], "data": data}
    if socket_id:
        message["socket_id"] = socket_id
    body = json.dumps(message).encode()
    path = f"{place.prefix}/apps/{app.id}/events"
    return place.ask("POST", target_of(app, "POST", path, body, timestamp=int(time.time())), body)


@click.command()
@click.argument("channel")
@click.argument("event")
@click.argument("data", default="{}")
@click.option("--socket-id", help="A connection that is not to hear of it.")
@choosing(app=True, place=True)
def trigger(chosen: Chosen, channel: str, event: str, data: str, socket_id: str | None) -> None:
    """Publish EVENT with DATA to CHANNEL, by the signed HTTP API.

    DATA is any text, JSON as a rule; "-" reads it from the standard input.

    Exit codes: 0 published, 1 refused, 2 nothing answers.
    """
    if data == "-":
        data = sys.stdin.read()
    app, place = chosen.one_app, chosen.place
    try:
        answer = publish(place, app, channel, event, data, socket_id)
    except Unreachable as error:
        outcome.fail(str(error), outcome.DOWN)
    if answer.status != 200:
        outcome.fail(f"{place} refused ({answer.reason})")
    click.echo(f"published {event} to {channel} of app {app.id} at {place}", err=True)
