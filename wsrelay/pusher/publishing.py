"""What a backend asks to be published: ``POST /apps/{id}/events`` understood and checked.

Everything is validated before anything is delivered, because a backend whose request fails
will send the whole of it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from ..core.apps import App
from ..core.errors import PublishRefused
from ..core.names import fault_in_channel_name, fault_in_event_name, kind_of
from ..core.publication import Publication
from . import codec

Body = TypeVar("Body")

_is_socket_id = re.compile(r"[0-9]+\.[0-9]+\Z").match

#: Attributes of a channel that ``info`` may ask for in the answer to a publish.
ATTRIBUTES = ("user_count", "subscription_count")


class _EventBody(Struct):
    name: Any = None
    data: Raw = Raw()
    channels: list[str] | str | None = None
    channel: str | None = None
    socket_id: str | None = None
    info: str | None = None


class _BatchBody(Struct):
    batch: list[_EventBody]


_decode_event = json.Decoder(_EventBody).decode
_decode_batch = json.Decoder(_BatchBody).decode


class Event(Struct, frozen=True):
    """One event for one or many channels."""

    publications: list[Publication]
    #: What the answer tells of each channel, out of ``ATTRIBUTES``.
    info: list[str]


def decode_event(app: App, body: bytes) -> Event:
    """Understand the body of a publish; raise ``PublishRefused`` (400, 413) with what is wrong."""
    return _checked(app, _decoded(_decode_event, body, "an event"))


def decode_batch(app: App, body: bytes) -> list[Event]:
    """Understand the body of a batch; the first event that is wrong refuses the whole of it."""
    batch = _decoded(_decode_batch, body, "a batch").batch
    if len(batch) > app.max_events_per_batch:
        raise PublishRefused(
            400,
            f"batch: {len(batch)} events, the limit is {app.max_events_per_batch} "
            "(max_events_per_batch)",
        )
    events = []
    for number, asked in enumerate(batch):
        try:
            events.append(_checked(app, asked))
        except PublishRefused as refused:
            raise PublishRefused(refused.status, f"batch[{number}]: {refused.message}") from refused
    return events


def _decoded(decode: Callable[[bytes], Body], body: bytes, what: str) -> Body:
    try:
        if not body.isascii():
            body.decode()  # msgspec (0.22) does not look into what it leaves raw
        return decode(body)
    except ValidationError as error:
        raise PublishRefused(400, f"the body is not {what}: {error}") from error
    except UnicodeDecodeError as error:
        raise PublishRefused(400, "the body is not valid UTF-8") from error
    except DecodeError as error:
        raise PublishRefused(400, "the body is not valid JSON") from error
    except RecursionError as error:
        raise PublishRefused(400, "the body is nested too deeply") from error


def _checked(app: App, asked: _EventBody) -> Event:
    if not isinstance(asked.name, str):
        raise PublishRefused(400, "name: an event needs a name (a string)")
    fault = fault_in_event_name(asked.name, app.max_event_name_length)
    if fault is not None:
        raise PublishRefused(400, f"name: {fault}")
    channels = _channels(app, asked)
    if asked.socket_id is not None and not _is_socket_id(asked.socket_id):
        raise PublishRefused(400, "socket_id: expected digits, a dot and digits")
    data = _string(bytes(asked.data))
    _check_size(app, data, channels)
    publications = [
        Publication(app.id, name, codec.event(asked.name, name, data), asked.socket_id)
        for name in channels
    ]
    return Event(publications, _attributes(asked.info))


def _channels(app: App, asked: _EventBody) -> list[str]:
    """The distinct channels of a publish, in order; ``channels`` wins over ``channel``."""
    named = asked.channels if asked.channels is not None else asked.channel
    if named is None:
        raise PublishRefused(400, "channels: an event needs channels (a list) or channel (a name)")
    channels = [named] if isinstance(named, str) else list(dict.fromkeys(named))
    if not channels:
        raise PublishRefused(400, "channels: the list is empty")
    if len(channels) > app.max_channels_per_event:
        raise PublishRefused(
            400,
            f"channels: {len(channels)} are named, the limit is {app.max_channels_per_event} "
            "(max_channels_per_event)",
        )
    for name in channels:
        fault = fault_in_channel_name(name, app.max_channel_name_length)
        if fault is not None:
            raise PublishRefused(400, f"channels: {fault}")
    return channels


def _string(data: bytes) -> Raw:
    """``data`` as the JSON string to send on; anything but a string is made its compact text."""
    if not data:
        raise PublishRefused(400, "data: an event needs data (a string, usually JSON text)")
    if codec.is_string(data):
        return Raw(data)
    try:
        return Raw(json.encode(codec.compact(data).decode()))
    except RecursionError as error:  # can stop a level or two above where decoding stopped
        raise PublishRefused(400, "data is nested too deeply") from error


def _check_size(app: App, data: Raw, channels: list[str]) -> None:
    most = app.max_event_bytes
    if len(data) <= most:
        return
    length = codec.text_length(bytes(data), most)
    if any(kind_of(name).is_encrypted for name in channels):
        # The limit is on what was encrypted: base64 makes it a third larger, and the nonce
        # and the braces around it take about a hundred bytes.
        most = most * 4 // 3 + 128
    if length > most:
        raise PublishRefused(413, f"data has {length} bytes, the limit is {most} (max_event_bytes)")


def _attributes(info: str | None) -> list[str]:
    asked = [name for name in (info or "").split(",") if name]
    for name in asked:
        if name not in ATTRIBUTES:
            raise PublishRefused(
                400, f"info: {name[:64]!r} is not known, expected {' or '.join(ATTRIBUTES)}"
            )
    return asked
