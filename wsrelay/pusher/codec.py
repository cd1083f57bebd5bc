"""Text to message and message to text: the grammar of the Pusher protocol.

What is only passed on is never decoded: ``data`` stays the bytes that came in and is spliced
into the frame that goes out. Double encoding follows the protocol: ``data`` is a JSON *string*
everywhere except in ``pusher:error``, ``pusher:pong`` and ``pusher:subscription_error``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, ValidationError, json

from ..core.errors import Code, EventRejected
from ..core.frame import Frame
from ..core.roster import Member
from .messages import ClientEvent, Ignored, Message, Ping, SignIn, Subscribe, Unsubscribe

_EMPTY_DATA = Raw(b'"{}"')
_NULL_DATA = Raw(b'"null"')


class _Envelope(Struct):
    event: str
    channel: Any = None
    data: Raw = Raw()


class _SubscribeData(Struct):
    channel: str
    auth: Any = None
    channel_data: Any = None


class _SignInData(Struct):
    auth: Any = None
    user_data: Any = None


class _UnsubscribeData(Struct):
    channel: str


class _Outgoing(Struct):
    event: str
    channel: str | UnsetType = UNSET
    data: Any = _EMPTY_DATA
    user_id: str | UnsetType = UNSET


_decode_envelope = json.Decoder(_Envelope).decode
_decode_subscribe = json.Decoder(_SubscribeData).decode
_decode_unsubscribe = json.Decoder(_UnsubscribeData).decode
_decode_sign_in = json.Decoder(_SignInData).decode
_decode_text = json.Decoder(str).decode
_encode = json.Encoder().encode

PONG = Frame(b'{"event":"pusher:pong","data":{}}')
_PING = Ping()


# -- in ------------------------------------------------------------------------------------


def decode(payload: bytes | str) -> Message:
    """Understand one message of a client; raise ``EventRejected`` (4300) with what is wrong.

    Unknown keys are ignored, and so are unknown ``pusher:`` events.
    """
    try:
        envelope = _decode_envelope(payload)
        event = envelope.event
        if event.startswith("client-"):
            channel = envelope.channel
            if type(channel) is not str:
                raise EventRejected(Code.BAD_MESSAGE, "a client event needs a channel (a string)")
            return ClientEvent(event, channel, bytes(envelope.data))
        if event == "pusher:ping":
            return _PING
        if event == "pusher:subscribe":
            asked = _decode_subscribe(_object_in(envelope))
            return Subscribe(asked.channel, _text_or_none(asked.auth), _as_text(asked.channel_data))
        if event == "pusher:unsubscribe":
            return Unsubscribe(_decode_unsubscribe(_object_in(envelope)).channel)
        if event == "pusher:signin":
            shown = _decode_sign_in(_object_in(envelope))
            return SignIn(_text_or_none(shown.auth), _text_or_none(shown.user_data))
    except ValidationError as error:
        raise EventRejected(Code.BAD_MESSAGE, f"unexpected message: {error}") from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise EventRejected(Code.BAD_MESSAGE, "the message is not valid JSON") from error
    except RecursionError as error:
        raise EventRejected(Code.BAD_MESSAGE, "the message is nested too deeply") from error
    if event.startswith("pusher:"):
        return Ignored(event)
    raise EventRejected(
        Code.BAD_MESSAGE, "unknown event: what a client sends starts with pusher: or client-"
    )


def _object_in(envelope: _Envelope) -> Raw | str:
    """The object in ``data``, which clients send as an object or as a string that holds one."""
    data = bytes(envelope.data)
    if not data:
        raise EventRejected(Code.BAD_MESSAGE, f"{envelope.event} needs data (an object)")
    return _decode_text(data) if is_string(data) else envelope.data


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _as_text(value: object) -> str | None:
    """``channel_data`` is a string; some old clients send the object itself."""
    if value is None or isinstance(value, str):
        return value
    return _encode(value).decode()


class _ChannelData(Struct):
    user_id: str | int | float
    user_info: Raw = Raw(b"null")


_decode_channel_data = json.Decoder(_ChannelData).decode


def decode_member(channel_data: str) -> Member:
    """The member in ``channel_data``; raise ``ValueError`` with what was expected.

    User ids are strings everywhere; a number becomes the text of that number.
    """
    try:
        decoded = _decode_channel_data(channel_data)
        user_info = compact(decoded.user_info)
    except ValidationError as error:
        raise ValueError(f"channel_data: {error}") from error
    except (DecodeError, RecursionError) as error:
        raise ValueError("channel_data is not valid JSON") from error
    user_id = decoded.user_id
    text = user_id if isinstance(user_id, str) else _encode(user_id).decode()
    if not text:
        raise ValueError("channel_data: user_id must not be empty")
    return Member(text, user_info)


def is_string(data: bytes) -> bool:
    """Whether a JSON text, as msgspec cuts it out, is a string."""
    return data.startswith(b'"')


def compact(data: bytes | Raw) -> bytes:
    """JSON text without the white space that does not matter."""
    return json.format(bytes(data), indent=-1)


def as_string(data: bytes) -> Raw | str:
    """``data`` as the JSON string that goes out: a string as it is, anything else as its text."""
    if not data:
        return _NULL_DATA
    return Raw(data) if is_string(data) else data.decode()


def text_of(string: Raw | str) -> str:
    """The text in what ``as_string`` made."""
    return string if isinstance(string, str) else _decode_text(string)


def text_length(data: bytes, enough: int) -> int:
    """The UTF-8 length of ``data`` once it is a string, exact where it could be over ``enough``.

    JSON's escapes only ever make a text longer, so a short one needs no closer look.
    """
    length = len(data)
    if length <= enough or not is_string(data):
        return length
    return len(_decode_text(data).encode())


# -- out -----------------------------------------------------------------------------------


def connection_established(socket_id: str, activity_timeout: int) -> Frame:
    inner = _encode({"socket_id": socket_id, "activity_timeout": activity_timeout})
    return Frame(_encode(_Outgoing("pusher:connection_established", data=inner.decode())))


def error(code: int | None, message: str, **details: str) -> Frame:
    """``pusher:error``; its data is an object, which the Swift and .NET clients insist on."""
    data = {"code": code, "message": message, **details}
    return Frame(_encode(_Outgoing("pusher:error", data=data)))


def subscription_error(channel: str, status: int, kind: str, message: str) -> Frame:
    data = {"type": kind, "error": message, "status": status}
    return Frame(_encode(_Outgoing("pusher:subscription_error", channel, data)))


def subscription_succeeded(channel: str) -> Frame:
    """For all but presence channels; the Swift client needs the ``"{}"``."""
    return Frame(_encode(_Outgoing("pusher_internal:subscription_succeeded", channel)))


def presence_subscription_succeeded(channel: str, members: Iterable[Member]) -> Frame:
    """The snapshot: ``count``, ``ids`` and a ``hash`` with a key for every id."""
    infos = {member.user_id: Raw(member.user_info) for member in members}
    presence = {"count": len(infos), "ids": list(infos), "hash": infos}
    text = _encode({"presence": presence}).decode()
    return Frame(_encode(_Outgoing("pusher_internal:subscription_succeeded", channel, text)))


def member_added(channel: str, member: Member) -> Frame:
    inner = _encode({"user_id": member.user_id, "user_info": Raw(member.user_info)})
    return Frame(_encode(_Outgoing("pusher_internal:member_added", channel, inner.decode())))


def member_removed(channel: str, user_id: str) -> Frame:
    inner = _encode({"user_id": user_id})
    return Frame(_encode(_Outgoing("pusher_internal:member_removed", channel, inner.decode())))


def signin_success(user_data: str) -> Frame:
    """``user_data`` goes back unchanged, in data that is an object for once."""
    return Frame(_encode(_Outgoing("pusher:signin_success", data={"user_data": user_data})))


def watchlist_events(online: Iterable[str], offline: Iterable[str]) -> Frame:
    events = [
        {"name": name, "user_ids": list(user_ids)}
        for name, user_ids in (("online", online), ("offline", offline))
        if user_ids
    ]
    text = _encode({"events": events}).decode()
    return Frame(_encode(_Outgoing("pusher_internal:watchlist_events", data=text)))


def subscription_count(channel: str, count: int) -> Frame:
    text = _encode({"subscription_count": count}).decode()
    return Frame(_encode(_Outgoing("pusher_internal:subscription_count", channel, text)))


def cache_miss(channel: str) -> Frame:
    return Frame(_encode(_Outgoing("pusher:cache_miss", channel)))


def event(name: str, channel: str, data: Raw | str, user_id: str | None = None) -> Frame:
    """A channel event. ``data`` is a JSON string already (``Raw``), or text to become one."""
    return Frame(_encode(_Outgoing(name, channel, data, UNSET if user_id is None else user_id)))
