"""Who wins: options, then environment, then the TOML file, then the defaults."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Container, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from ..core.apps import App, Apps
from ..edge.trust import Trusted
from . import dotenv
from .cores import workers_of
from .environment import layer_from
from .layer import ConfigurationError, Layer
from .settings import DEVELOPMENT_APP, Settings, tls_listeners

__all__ = ["ConfigurationError", "Given", "reader", "resolve", "sources"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")

#: Split at the colons without a backslash before them.
_parts_of_endpoint = re.compile(r"(?:[^:\\]|\\.)+").findall


class Given(Struct, frozen=True):
    """What was said on the command line."""

    config: str | None = None
    laravel_env: str | None = None
    #: ``ID:KEY:SECRET`` each.
    apps: tuple[str, ...] = ()
    client_events: str | None = None
    client_event_rate: str | None = None
    settings: Mapping[str, Any] = {}


def reader(given: Given, environ: Mapping[str, str]) -> Callable[[], Settings]:
    """``resolve``, to be called whenever the files may have changed.

    They are looked for where they are now, whatever directory the process is in by then.
    """
    anchored = structs.replace(
        given,
        config=given.config and os.path.abspath(given.config),
        laravel_env=given.laravel_env and os.path.abspath(given.laravel_env),
    )
    known = dict(environ)
    for name in ("WSRELAY_CONFIG", "WSRELAY_LARAVEL_ENV"):
        if known.get(name):
            known[name] = os.path.abspath(known[name])
    return lambda: resolve(anchored, known)


def resolve(given: Given, environ: Mapping[str, str]) -> Settings:
    """One configuration out of all sources; raise ``ConfigurationError`` with the first fault.

    Apps of all sources are served together; where two name the same id, the higher one counts.
    """
    checked, rights = _checked(given, environ)
    said = {name for _, values in checked for name in values}
    settings = _merged(checked, rights)
    _refuse_half_a_pair(settings, said)
    _refuse_twin_ports(settings)
    _refuse_unknown_proxies(settings)
    _refuse_strange_workers(settings)
    return settings


def sources(given: Given, environ: Mapping[str, str]) -> dict[str, str]:
    """Which source says each setting that is not a default; ``apps.ID`` for each app."""
    found: dict[str, str] = {}
    for source, values in _checked(given, environ)[0]:
        for app in values.pop("apps", ()):
            found.setdefault(f"apps.{app.id}", source)
        for name in values:
            found.setdefault(name, source)
    return found


def _checked(
    given: Given, environ: Mapping[str, str]
) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """What each source says, the highest first, and the rights of apps outside of the file."""
    layers = [_options(given)]
    if laravel_env := given.laravel_env or environ.get("WSRELAY_LARAVEL_ENV"):
        layers.append(_laravel(laravel_env, environ))
    layers.append(layer_from(environ, "environment"))
    rights: dict[str, Any] = {}
    for layer in reversed(layers):
        rights.update(layer.checked_rights())
    checked = [(layer.name, _with_rights(layer.checked(is_text=True), rights)) for layer in layers]
    if config := given.config or environ.get("WSRELAY_CONFIG"):
        checked.append((config, _toml(config).checked(is_text=False)))
    return checked, rights


def _options(given: Given) -> Layer:
    values = dict(given.settings)
    if given.apps:
        values["apps"] = [_app(text) for text in given.apps]
    rights = {
        "client_events": given.client_events,
        "client_event_rate": given.client_event_rate,
    }
    return Layer(
        "options",
        values,
        {name: value for name, value in rights.items() if value is not None},
        {name: f"--{name.replace('_', '-')}" for name in (*values, *rights) if name != "apps"},
    )


def _app(text: str) -> dict[str, Any]:
    parts = text.split(":", 2)
    if len(parts) != 3 or not all(parts):
        raise ConfigurationError("--app: expected ID:KEY:SECRET")
    return dict(zip(("id", "key", "secret"), parts, strict=True))


def _with_rights(values: dict[str, Any], rights: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the rights that options and environment give to their apps."""
    if "apps" not in values:
        return values
    return {**values, "apps": tuple(structs.replace(app, **rights) for app in values["apps"])}


def _laravel(path: str, environ: Mapping[str, str]) -> Layer:
    try:
        return layer_from(dotenv.parse(_readable(path).decode("utf-8-sig"), environ), path)
    except ValueError as error:
        raise ConfigurationError(f"{path}: not a Laravel .env: {error}") from error


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


def _merged(layers: Iterable[tuple[str, dict[str, Any]]], rights: Mapping[str, Any]) -> Settings:
    """The first layer that says something wins."""
    values: dict[str, Any] = {}
    apps: dict[str, App] = {}
    sources = []
    for name, layer in layers:
        if of_layer := layer.pop("apps", ()):
            sources.append(name)
            _refuse_twins(name, of_layer)
        for app in of_layer:
            apps.setdefault(app.id, app)
        values = {**layer, **values}
    _refuse_twins(" and ".join(sources), apps.values())
    if apps:
        return Settings(**values, apps=tuple(apps.values()))
    settings = Settings(**values, apps=(structs.replace(DEVELOPMENT_APP, **rights),))
    _refuse_strangers(settings)
    return settings


def _refuse_twins(source: str, apps: Iterable[App]) -> None:
    try:
        Apps(apps)
    except ValueError as error:
        raise ConfigurationError(f"{source}: apps: {error}") from error


def _refuse_half_a_pair(settings: Settings, said: Container[str]) -> None:
    parts = ("tls_cert", "tls_key")
    if settings.tls_cert or settings.tls_key or "tls_port" in said:
        missing = [part for part in parts if not getattr(settings, part)]
        if missing:
            raise ConfigurationError(
                f"{' and '.join(missing)}: missing, TLS needs a certificate and its key "
                "(--tls-cert FILE --tls-key FILE)"
            )


def _refuse_twin_ports(settings: Settings) -> None:
    taken = set()
    for listener in tls_listeners(settings):
        if listener.listen or not listener.port:
            continue
        place = (listener.host or settings.host, listener.port)
        if place in taken:
            raise ConfigurationError(
                f"tls: port {listener.port} twice; several certificates on one port are several "
                "certificates of one [[tls]], chosen by name"
            )
        taken.add(place)


def _refuse_unknown_proxies(settings: Settings) -> None:
    try:
        trusted = Trusted(settings.trusted_proxies)
    except ValueError as error:
        raise ConfigurationError(
            f"trusted_proxies: {error}; expected addresses, networks such as 10.0.0.0/8, or unix"
        ) from error
    is_gated = settings.proxy_protocol or any(each.proxy_protocol for each in settings.tls)
    if is_gated and not trusted:
        raise ConfigurationError(
            "proxy_protocol: needs trusted_proxies, the addresses of the proxies that connect"
        )


def _refuse_strange_workers(settings: Settings) -> None:
    """Processes that do not know of each other would be as many relays on one port."""
    many = workers_of(settings)
    if many > 1 and settings.redis is None:
        raise ConfigurationError(
            f"workers: {many} processes are one relay only by way of a Redis, and none is "
            "configured (--redis redis://127.0.0.1:6379); --workers 1 needs none"
        )


def _refuse_strangers(settings: Settings) -> None:
    """The development app's secret is public, so nobody from outside may reach it."""
    listeners = tls_listeners(settings)
    for host in (settings.host, *(listener.host for listener in listeners)):
        if host not in ("", *LOOPBACK):
            raise ConfigurationError(
                f"host: {host} needs an app of your own (--app ID:KEY:SECRET): the "
                "development app, whose secret is public, is served on loopback only"
            )
    for endpoint in chain(settings.listen, *(listener.listen for listener in listeners)):
        if not _is_local(endpoint):
            raise ConfigurationError(
                f"listen: {endpoint} needs an app of your own (--app ID:KEY:SECRET): the "
                "development app is served on loopback (interface=127.0.0.1) and unix sockets only"
            )


def _is_local(endpoint: str) -> bool:
    """Whether a Twisted endpoint can only be reached from this machine."""
    parts = [part.replace("\\", "") for part in _parts_of_endpoint(endpoint)]
    interfaces = {part.partition("=")[2] for part in parts if part.startswith("interface=")}
    return parts[:1] == ["unix"] or (bool(interfaces) and interfaces <= set(LOOPBACK))
