"""Publishing: ``POST /apps/{id}/events`` and ``batch_events``."""

from __future__ import annotations

from ..core.apps import App
from ..core.names import kind_of
from ..pusher.publishing import decode_batch, decode_event
from .desk import Desk
from .exchange import EMPTY, Answer, Request, answer


async def publish(desk: Desk, app: App, request: Request, _: str) -> Answer:
    """Deliver one event to its channels; ``{}``, or ``info`` by channel.

    Raises ``PublishRefused``, and then nothing was delivered.
    """
    event = decode_event(app, request.body)
    excess = desk.quotas.excess(app, "event_rate", app.event_rate, len(event.publications))
    if excess is not None:
        return excess
    await desk.relay.publish_surely(event.publications, app.cache_seconds)
    if not event.info:
        return EMPTY
    told = {
        publication.channel: await counts(desk, app, publication.channel, event.info)
        for publication in event.publications
    }
    return answer({"channels": told})


async def publish_batch(desk: Desk, app: App, request: Request, _: str) -> Answer:
    """Deliver several events in order; an object for each, if one of them asks for ``info``."""
    events = decode_batch(app, request.body)
    publications = [publication for event in events for publication in event.publications]
    excess = desk.quotas.excess(app, "event_rate", app.event_rate, len(publications))
    if excess is not None:
        return excess
    await desk.relay.publish_surely(publications, app.cache_seconds)
    if not any(event.info for event in events):
        return EMPTY
    told = [await counts(desk, app, event.publications[0].channel, event.info) for event in events]
    return answer({"batch": told})


async def counts(desk: Desk, app: App, channel: str, asked: list[str]) -> dict[str, int]:
    """The counts asked for; a channel without presence has no ``user_count``."""
    told = {}
    if "user_count" in asked and kind_of(channel).has_presence:
        told["user_count"] = await desk.relay.presence.user_count(app.id, channel)
    if "subscription_count" in asked:
        told["subscription_count"] = await desk.relay.subscription_count(app.id, channel)
    return told
