"""What the options choose: the settings, the relay and the app that a command is about."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any, TypeVar

import click

from ..config.resolve import ConfigurationError, Given, resolve
from ..config.settings import Settings
from ..core.apps import App
from . import outcome
from .place import Place, place_of, places_of

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Chosen:
    """The options that several commands share."""

    config: str | None = None
    laravel_env: str | None = None
    app: str | None = None
    url: str | None = None
    ca: str | None = None

    @property
    def given(self) -> Given:
        return Given(config=self.config, laravel_env=self.laravel_env)

    @cached_property
    def settings(self) -> Settings:
        """What the relay would be started with."""
        try:
            return resolve(self.given, os.environ)
        except ConfigurationError as error:
            outcome.fail(str(error), outcome.CONFIGURATION)

    @property
    def places(self) -> list[Place]:
        """Its doors: the one of ``--url``, or all that this machine has by the settings."""
        if self.url is not None:
            try:
                return [place_of(self.url, self.ca)]
            except ValueError as error:
                raise click.BadParameter(f"{self.url}: {error}", param_hint="--url") from error
        return [replace(place, ca=self.ca) for place in places_of(self.settings)]

    @property
    def place(self) -> Place:
        places = self.places
        if not places:
            outcome.fail(
                "the settings name no port that can be connected to; say where with --url",
                outcome.CONFIGURATION,
            )
        return places[0]

    @property
    def one_app(self) -> App:
        """The app of ``--app`` (its id or key), or the first that is configured."""
        apps = self.settings.apps
        if self.app is None:
            return apps[0]
        for app in apps:
            if self.app in (app.id, app.key):
                return app
        outcome.fail(
            f"no app has the id or key {self.app!r}; configured are: "
            + ", ".join(app.id for app in apps[:20]),
            outcome.CONFIGURATION,
        )


_CONFIG = (
    click.option(
        "-c",
        "--config",
        metavar="FILE",
        help="The relay's TOML file.  [environment: WSRELAY_CONFIG]",
        type=click.Path(),
    ),
    click.option(
        "--laravel-env",
        metavar="FILE",
        help="A Laravel app's .env: its app and port are used.  [environment: WSRELAY_LARAVEL_ENV]",
        type=click.Path(),
    ),
)
_APP = click.option("--app", metavar="ID|KEY", help="Which app; the first one if not said.")
_PLACE = (
    click.option(
        "--url",
        metavar="URL",
        help="Where the relay is, such as https://relay.example; else where the configuration "
        "puts it on this machine.",
    ),
    click.option(
        "--ca",
        metavar="FILE",
        help="PEM file of an authority to trust besides the system's.",
        type=click.Path(),
    ),
)


def choosing(*, app: bool = False, place: bool = False) -> Callable[[Command], Command]:
    """Give a command the shared options, and hand them over as ``chosen``."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def chosen(
            *args: Any,
            config: str | None,
            laravel_env: str | None,
            **rest: Any,
        ) -> Any:
            options = {name: rest.pop(name, None) for name in ("app", "url", "ca")}
            return command(*args, chosen=Chosen(config, laravel_env, **options), **rest)

        options = [*_CONFIG, *([_APP] if app else []), *(_PLACE if place else ())]
        for option in reversed(options):
            chosen = option(chosen)
        return chosen  # type: ignore[return-value]

    return decorate
