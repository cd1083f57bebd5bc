"""What a backend asks to be published: ``POST /apps/{id}/events`` understood and checked.

Everything is validated before anything is delivered, because a backend whose request fails
will send the whole of it again.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from ..core.apps import App
from ..core.errors import PublishRefused
from ..core.names import fault_in_channel_name, fault_in_event_name, kind_of
from ..core.publication import Publication
from . import codec

_is_socket_id = re.compile(r"\d+\.\d+\Z").match

#: Attributes of a channel that ``info`` may ask for in the answer to a publish.
ATTRIBUTES = ("user_count", "subscription_count")


class _EventBody(Struct):
    name: Any = None
    data: Raw = Raw()
    channels: list[str] | str | None = None
    channel: str | None = None
    socket_id: str | None = None
    info: str | None = None


_decode_event = json.Decoder(_EventBody).decode


class Event(Struct, frozen=True):
    """One event for one or many channels."""

    publications: list[Publication]
    #: What the answer tells of each channel, out of ``ATTRIBUTES``.
    info: list[str]


def decode_event(app: App, body: bytes) -> Event:
    """Understand the body of a publish; raise ``PublishRefused`` (400, 413) with what is wrong."""
    try:
        asked = _decode_event(body)
    except ValidationError as error:
        raise PublishRefused(400, f"the body is not an event: {error}") from error
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PublishRefused(400, "the body is not valid JSON") from error
    return _checked(app, asked)


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
    return Raw(json.encode(codec.compact(data).decode()))


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
