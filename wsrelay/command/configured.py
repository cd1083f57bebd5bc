"""``wsrelay config``: what the relay would run with, where that comes from, and its faults."""

from __future__ import annotations

import json
import os
from typing import Any

import click
from msgspec import NODEFAULT, structs

from ..config.resolve import ConfigurationError, Given, resolve, sources
from ..config.settings import Settings
from ..core.apps import App, Secret, Webhook
from . import outcome
from .chosen import Chosen, choosing
from .screen import console

MASK = "(hidden)"


@click.group()
def config() -> None:
    """Show or check the configuration."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="JSON: settings, apps, sources.")
@choosing()
def show(chosen: Chosen, as_json: bool) -> None:
    """The settings that count, and which source each comes from; secrets are hidden.

    Of an app only what differs from the defaults is shown, without --json.
    """
    settings = chosen.settings
    known = sources(chosen.given, os.environ)
    if as_json:
        told = masked(settings)
        click.echo(json.dumps({"settings": told, "sources": known}, indent=2))
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("setting", "value", "from", box=None, pad_edge=False, header_style="bold")
    for name in settings.__struct_fields__:
        if name not in ("apps", "tls"):
            value = json.dumps(masked(getattr(settings, name)))
            table.add_row(name, escape(value), escape(known.get(name, "default")))
    for listener in settings.tls:
        table.add_row("tls", escape(json.dumps(masked(listener))), escape(known["tls"]))
    for app in settings.apps:
        table.add_row(
            "app", escape(json.dumps(_changed(app))), escape(known.get(f"apps.{app.id}", "default"))
        )
    console().print(table)


@config.command()
@click.argument("file", type=click.Path())
def check(file: str) -> None:
    """Read a TOML file as the relay would, by itself, and tell the first fault in it.

    Exit codes: 0 it can be used, 78 it can't.
    """
    try:
        settings = resolve(Given(config=file), {})
    except ConfigurationError as error:
        outcome.fail(str(error), outcome.CONFIGURATION)
    for fault in faults_in_files(settings):
        outcome.fail(f"{file}: {fault}", outcome.CONFIGURATION)
    click.echo(f"{file}: good; apps: {', '.join(app.id for app in settings.apps)}")


def faults_in_files(settings: Settings) -> list[str]:
    """What is wrong with webhooks and certificates: the relay looks at those when it starts."""
    from ..config.settings import tls_listeners
    from ..tls.pair import Unusable, read_certificates, read_pair
    from ..webhooks.target import fault_in_webhook

    faults = [
        f"webhook {number} of app {app.id}: {fault}"
        for app in settings.apps
        for number, webhook in enumerate(app.webhooks, 1)
        if (fault := fault_in_webhook(webhook)) is not None
    ]
    for listener in tls_listeners(settings):
        try:
            for files in listener.certificates:
                read_pair(files)
            if listener.client_ca:
                read_certificates(listener.client_ca)
        except Unusable as fault:
            faults.append(f"tls: {fault}")
    return faults


def masked(value: Any) -> Any:
    """The same for JSON, without secrets; of webhooks' addresses the host, which is no secret."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Webhook):
        scheme, _, rest = value.url.partition("://")
        host, slash, path = rest.partition("/")
        shown = {name: masked(getattr(value, name)) for name in value.__struct_fields__}
        return {**shown, "url": f"{scheme}://{host}/{MASK if path else ''}" if slash else value.url}
    if isinstance(value, Settings | App) or hasattr(value, "__struct_fields__"):
        return {name: masked(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: masked(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return value


def _changed(app: App) -> dict[str, Any]:
    """What is not the default."""
    defaults = {
        field.name: field.default for field in structs.fields(app) if field.default is not NODEFAULT
    }
    return {
        name: value
        for name, value in masked(app).items()
        if name not in defaults or getattr(app, name) != defaults[name]
    }
