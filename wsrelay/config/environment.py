"""What the environment, or a Laravel app's ``.env``, says about the relay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .layer import ConfigurationError, Layer
from .settings import Settings

#: Settings that an environment variable ``WSRELAY_NAME`` may hold; lists are split at commas.
_LISTS = ("listen", "cors_origins", "trusted_proxies")
_SETTINGS = tuple(name for name in Settings.__struct_fields__ if name not in ("apps", "tls"))
#: Other variables of ours: where the file is, the app, and its rights.
_OTHERS = ("config", "laravel_env", "app_id", "app_key", "app_secret")
RIGHTS = ("client_events", "client_event_rate")

#: First found wins, behind ``WSRELAY_PORT`` and ``WSRELAY_HOST``.
PORTS = ("WEBSOCKET_PORT", "PUSHER_PORT")
HOSTS = ("WEBSOCKET_HOST",)
#: Each of these may name an app: ``PUSHER_APP_ID``, ``PUSHER_APP_KEY``, ``PUSHER_APP_SECRET``.
APPS = ("WSRELAY", "PUSHER", "REVERB")


def layer_from(environ: Mapping[str, str], name: str) -> Layer:
    """The settings in ``environ``. Empty variables count as absent, as Laravel leaves them.

    Raises ``ConfigurationError`` for an unknown ``WSRELAY_`` variable and for half an app.
    """
    given = {key: value for key, value in environ.items() if value}
    values: dict[str, Any] = {}
    rights: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for key, value in given.items():
        if key.startswith("WSRELAY_"):
            setting = key.removeprefix("WSRELAY_").lower()
            if setting in _SETTINGS:
                values[setting] = _split(value) if setting in _LISTS else value
            elif setting in RIGHTS:
                rights[setting] = value
            elif setting not in _OTHERS:
                raise ConfigurationError(
                    f"{name}: {key}: unknown; expected WSRELAY_ and one of "
                    + ", ".join(sorted(map(str.upper, _SETTINGS + _OTHERS + RIGHTS)))
                )
            keys[setting] = key
    for variables, setting in ((PORTS, "port"), (HOSTS, "host")):
        found = next((key for key in variables if key in given), None)
        if found is not None and setting not in values:
            values[setting] = given[found]
            keys[setting] = found
    apps: dict[str, dict[str, Any]] = {}
    for owner in APPS:
        app = _app_of(owner, given, name)
        if app is not None:
            # PUSHER_ and REVERB_ may name the same app: the first one named is taken.
            apps.setdefault(app["id"], app)
    if apps:
        values["apps"] = list(apps.values())
    return Layer(name, values, rights, keys)


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _app_of(owner: str, given: Mapping[str, str], name: str) -> dict[str, Any] | None:
    parts = {part: given.get(f"{owner}_APP_{part.upper()}") for part in ("id", "key", "secret")}
    if not any(parts.values()):
        return None
    missing = [f"{owner}_APP_{part.upper()}" for part, value in parts.items() if value is None]
    if missing:
        raise ConfigurationError(
            f"{name}: {' and '.join(missing)}: missing, the app needs all three"
        )
    return dict(parts)
