"""May this client event be passed on? And passing it on."""

from __future__ import annotations

from ..core.apps import App
from ..core.channel import Channel
from ..core.errors import Code, EventRejected
from ..core.notices import ClientEventSent
from ..core.publication import Publication, Whisper
from .codec import as_string, event, text_length, text_of
from .messages import ClientEvent
from .surroundings import Surroundings


def whispered_in(app: App, channel: Channel | None, said: ClientEvent) -> Channel:
    """The channel, if the sender may say this there; else raise ``EventRejected`` (4301).

    ``channel`` is the sender's own subscription, ``None`` when there is none. The rate is not
    judged here: it needs a clock.
    """
    if channel is None or app.client_events == "off":
        raise _rejected(
            "client events are off for this app (client_events)"
            if app.client_events == "off"
            else f"not subscribed to {said.channel[:200]}: subscribe before sending client events"
        )
    kind = channel.kind
    if kind.is_encrypted or kind.is_for_one_user:
        raise _rejected("encrypted channels and a user's own channel carry no client events")
    if not kind.needs_auth and app.client_events != "all":
        raise _rejected(
            "client events need a private or presence channel "
            "(client_events = 'all' admits public ones)"
        )
    if len(said.event) > app.max_event_name_length:
        raise _rejected(
            f"the event's name has {len(said.event)} characters, the limit is "
            f"{app.max_event_name_length} (max_event_name_length)"
        )
    most = app.max_event_bytes
    if len(said.data) > most and (length := text_length(said.data, most)) > most:
        raise _rejected(f"data has {length} bytes, the limit is {most} (max_event_bytes)")
    return channel


def pass_on(
    around: Surroundings,
    app: App,
    socket_id: str,
    said: ClientEvent,
    user_id: str | None,
    whisper: Whisper | None = None,
) -> None:
    """Publish what a client said to everybody else in the channel.

    ``user_id`` is who he is there, on presence channels. Whatever else the message holds stays
    behind. ``whisper`` is what the channel's rules, if it has any, need to deliver it.
    """
    relay = around.relay
    data = as_string(said.data)
    relay.tally.client_events += 1
    frame = event(said.event, said.channel, data, user_id)
    relay.publish(Publication(app.id, said.channel, frame, socket_id, whisper))
    if app.webhooks:
        around.observer(
            ClientEventSent(app.id, said.channel, said.event, text_of(data), socket_id, user_id)
        )


def _rejected(message: str) -> EventRejected:
    return EventRejected(Code.CLIENT_EVENT_REJECTED, message)
