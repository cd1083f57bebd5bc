"""Settings on their way from one process of the relay to another, whole and with their secrets.

They are read once, by the process that starts the others, so that all go by the same. They travel
through a pipe that nobody else can read, never through arguments or the environment.
"""

from __future__ import annotations

from typing import Any

from msgspec import json, structs

from ..core.secret import Secret
from .settings import DEVELOPMENT_APP, Settings, is_development


def packed(settings: Settings) -> bytes:
    """All of them, as ``unpacked`` reads them. To be shown to nobody."""
    return json.encode((is_development(settings), settings), enc_hook=_revealed)


def unpacked(content: bytes) -> Settings:
    """The settings that were packed; the development app's secret is itself again."""
    was_development, settings = json.decode(
        content, type=tuple[bool, Settings], dec_hook=lambda kind, value: Secret(value)
    )
    if not was_development:
        return settings
    # It is known by being this very object (``is_development``), whatever rights the app has.
    return structs.replace(
        settings,
        apps=tuple(
            structs.replace(app, secret=DEVELOPMENT_APP.secret)
            if app.id == DEVELOPMENT_APP.id
            else app
            for app in settings.apps
        ),
    )


def _revealed(value: Any) -> str:
    if not isinstance(value, Secret):
        raise NotImplementedError(type(value))
    return value.reveal().decode()
