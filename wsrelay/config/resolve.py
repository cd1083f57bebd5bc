"""Who wins: options, then environment, then the TOML file, then the defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from msgspec import Struct, structs

from ..core.apps import App, Apps
from .environment import layer_from
from .layer import ConfigurationError, Layer
from .settings import DEVELOPMENT_APP, Settings

__all__ = ["ConfigurationError", "Given", "resolve"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Given(Struct, frozen=True):
    """What was said on the command line."""

    config: str | None = None
    laravel_env: str | None = None
    #: ``ID:KEY:SECRET`` each.
    apps: tuple[str, ...] = ()
    client_events: str | None = None
    client_event_rate: str | None = None
    settings: Mapping[str, Any] = {}


def resolve(given: Given, environ: Mapping[str, str]) -> Settings:
    """One configuration out of all sources; raise ``ConfigurationError`` with the first fault.

    Apps of all sources are served together; where two name the same id, the higher one counts.
    """
    environment = layer_from(environ, "environment")
    layers = [_options(given)]
    if laravel_env := given.laravel_env or environ.get("WSRELAY_LARAVEL_ENV"):
        layers.append(_laravel(laravel_env))
    layers.append(environment)
    rights = {**layers[-1].rights, **_rights(given)}
    checked = [_with_rights(layer, rights).checked(is_text=True) for layer in layers]
    if config := given.config or environ.get("WSRELAY_CONFIG"):
        checked.append(_toml(config).checked(is_text=False))
    return _merged(checked)


def _options(given: Given) -> Layer:
    values = dict(given.settings)
    if given.apps:
        values["apps"] = [_app(text) for text in given.apps]
    return Layer("options", values)


def _app(text: str) -> dict[str, Any]:
    parts = text.split(":", 2)
    if len(parts) != 3 or not all(parts):
        raise ConfigurationError("--app: expected ID:KEY:SECRET")
    return dict(zip(("id", "key", "secret"), parts, strict=True))


def _rights(given: Given) -> dict[str, Any]:
    rights = {
        "client_events": given.client_events,
        "client_event_rate": given.client_event_rate,
    }
    return {name: value for name, value in rights.items() if value is not None}


def _with_rights(layer: Layer, rights: Mapping[str, Any]) -> Layer:
    """The layer with the rights that options and environment give to their apps."""
    if "apps" not in layer.values or not rights:
        return layer
    apps = [{**app, **rights} for app in layer.values["apps"]]
    return structs.replace(layer, values={**layer.values, "apps": apps})


def _laravel(path: str) -> Layer:
    """A Laravel app's ``.env``: quotes, comments and ``${VAR}`` are read as Laravel reads them."""
    _readable(path)
    values = dotenv_values(path, encoding="utf-8")
    return layer_from({key: value or "" for key, value in values.items()}, path)


def _toml(path: str) -> Layer:
    try:
        return Layer(path, tomllib.loads(_readable(path).decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from error


def _readable(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error


def _merged(layers: Iterable[dict[str, Any]]) -> Settings:
    """The first layer that says something wins."""
    values: dict[str, Any] = {}
    apps: dict[str, App] = {}
    for layer in layers:
        of_layer = layer.pop("apps", ())
        _refuse_twins(of_layer)
        for app in of_layer:
            apps.setdefault(app.id, app)
        values = {**layer, **values}
    _refuse_twins(apps.values())
    settings = Settings(**values, apps=tuple(apps.values()) or (DEVELOPMENT_APP,))
    if not apps:
        _refuse_strangers(settings)
    return settings


def _refuse_twins(apps: Iterable[App]) -> None:
    try:
        Apps(apps)
    except ValueError as error:
        raise ConfigurationError(f"apps: {error}") from error


def _refuse_strangers(settings: Settings) -> None:
    """The development app's secret is public, so nobody from outside may reach it."""
    if settings.host not in ("", *LOOPBACK):
        raise ConfigurationError(
            f"host: {settings.host} needs an app of your own (--app ID:KEY:SECRET): the "
            "development app, whose secret is public, is served on loopback only"
        )
    for endpoint in settings.listen:
        if not endpoint.startswith("unix:") and not any(
            f"interface={host}" in endpoint.replace("\\", "") for host in LOOPBACK
        ):
            raise ConfigurationError(
                f"listen: {endpoint} needs an app of your own (--app ID:KEY:SECRET): the "
                "development app is served on loopback (interface=127.0.0.1) and unix sockets only"
            )
