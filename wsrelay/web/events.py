"""``POST /apps/{id}/events``: publish, and tell what was asked about the channels."""

from __future__ import annotations

from ..core.apps import App
from ..core.names import kind_of
from ..core.relay import Relay
from ..pusher.publishing import decode_event
from .exchange import EMPTY, Answer, Request, answer


async def publish(relay: Relay, app: App, request: Request) -> Answer:
    """Deliver one event to its channels; ``{}``, or ``info`` by channel.

    Raises ``PublishRefused``, and then nothing was delivered.
    """
    event = decode_event(app, request.body)
    await relay.publish_surely(*event.publications)
    if not event.info:
        return EMPTY
    return answer(
        {
            "channels": {
                publication.channel: await attributes(relay, app, publication.channel, event.info)
                for publication in event.publications
            }
        }
    )


async def attributes(relay: Relay, app: App, channel: str, asked: list[str]) -> dict[str, int]:
    """The counts asked for; a channel without presence has no ``user_count``."""
    told = {}
    if "user_count" in asked and kind_of(channel).has_presence:
        told["user_count"] = await relay.presence.user_count(app.id, channel)
    if "subscription_count" in asked:
        told["subscription_count"] = relay.hub.subscription_count(app.id, channel)
    return told
