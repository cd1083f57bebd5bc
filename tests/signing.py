"""Signatures as a backend makes them: written from the protocol, not with wsrelay's own code."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import quote

from wsrelay.core.apps import App, Secret

APP = App(id="1001", key="a-key", secret=Secret("a-secret"))
SECRET = "a-secret"


def _hmac(text: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def channel_auth(
    socket_id: str, channel: str, channel_data: str | None = None, key: str = APP.key
) -> str:
    """The ``auth`` of a subscription to a private or presence channel."""
    parts = [socket_id, channel] + ([channel_data] if channel_data is not None else [])
    return f"{key}:{_hmac(':'.join(parts))}"


def signin_auth(socket_id: str, user_data: str) -> str:
    """The ``auth`` of a ``pusher:signin``."""
    return f"{APP.key}:{_hmac(f'{socket_id}::user::{user_data}')}"


def signed_target(
    method: str, path: str, body: bytes = b"", /, signed_at: float | None = None, **query: str
) -> str:
    """Path and query of an HTTP API request, signed with the secret of ``APP``."""
    parameters = {
        "auth_key": APP.key,
        "auth_timestamp": str(int(time.time() if signed_at is None else signed_at)),
        "auth_version": "1.0",
        **query,
    }
    if body:
        parameters["body_md5"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
    pairs = sorted(parameters.items())
    text = "\n".join([method, path, "&".join(f"{name}={value}" for name, value in pairs)])
    pairs.append(("auth_signature", _hmac(text)))
    return f"{path}?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)


def event(channels: list[str] | str, data: Any = "{}", name: str = "told", **more: Any) -> bytes:
    """The body of ``POST /apps/{id}/events``."""
    return json.dumps({"name": name, "channels": channels, "data": data, **more}).encode()
