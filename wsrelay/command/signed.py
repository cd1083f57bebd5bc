"""What a backend signs: subscriptions, sign-ins and HTTP requests (Pusher Channels protocol)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import quote

from ..core.apps import App
from ..pusher.signatures import sign


def channel_text(socket_id: str, channel: str, channel_data: str | None) -> str:
    """What is signed for a subscription."""
    return ":".join([socket_id, channel, *([] if channel_data is None else [channel_data])])


def user_text(socket_id: str, user_data: str) -> str:
    """What is signed for a sign-in."""
    return f"{socket_id}::user::{user_data}"


def auth_of(app: App, text: str) -> str:
    """``KEY:HEX``, as an ``authEndpoint`` answers it."""
    return f"{app.key}:{sign(app, text)}"


def request_text(
    app: App, method: str, path: str, body: bytes, query: Sequence[tuple[str, str]], timestamp: int
) -> tuple[str, str]:
    """The text that is signed for a request, and its query string without the signature."""
    parameters = {
        **dict(query),
        "auth_key": app.key,
        "auth_timestamp": str(timestamp),
        "auth_version": "1.0",
    }
    if body:
        parameters["body_md5"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
    pairs = sorted(parameters.items())
    text = "\n".join([method, path, "&".join(f"{name}={value}" for name, value in pairs)])
    return text, "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs
    )


def target_of(
    app: App,
    method: str,
    path: str,
    body: bytes = b"",
    query: Sequence[tuple[str, str]] = (),
    *,
    timestamp: int,
) -> str:
    """Path and query of a signed request."""
    text, parameters = request_text(app, method, path, body, query, timestamp)
    return f"{path}?{parameters}&auth_signature={sign(app, text)}"
