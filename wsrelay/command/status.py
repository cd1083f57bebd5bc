"""``wsrelay status``: is it up, may it be given traffic, and what is it doing?"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import click

from . import outcome
from .chosen import Chosen, choosing
from .place import Place, Unreachable, place_of
from .screen import console


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The whole answer, JSON.")
@click.option(
    "--metrics-url",
    metavar="URL",
    help="The relay's metrics listener; else where the configuration puts it, which is "
    "http://127.0.0.1:9601 by default.",
)
@choosing(place=True)
def status(chosen: Chosen, as_json: bool, metrics_url: str | None) -> None:
    """Is the relay up, may it be given traffic, and what is it doing?

    Asks the metrics listener. With that off, or with --url, the relay's own port says less: that
    it is up, and whether it is ready.

    Exit codes: 0 up and ready, 1 up and not ready, 2 nothing answers.
    """
    told = _full(chosen, metrics_url) or _short(chosen)
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        _show(told)
    if not told["ready"]:
        raise SystemExit(outcome.NO)


def metrics_place(chosen: Chosen, metrics_url: str | None = None) -> Place | None:
    """The metrics listener; ``None`` where there is none, or where it can't be known."""
    if metrics_url is not None:
        try:
            return place_of(metrics_url, chosen.ca)
        except ValueError as error:
            raise click.BadParameter(
                f"{metrics_url}: {error}", param_hint="--metrics-url"
            ) from error
    if chosen.url is not None:
        return None
    port, host = chosen.settings.metrics_port, chosen.settings.metrics_host
    return Place("127.0.0.1" if host in ("0.0.0.0", "::") else host, port) if port else None


def full_status(place: Place | None) -> dict[str, Any] | None:
    """What the metrics listener says; ``None`` if it does not."""
    if place is None:
        return None
    try:
        told = place.ask("GET", f"{place.prefix}/status").json
    except Unreachable:
        return None
    return told if isinstance(told, dict) and "ready" in told else None


def _full(chosen: Chosen, metrics_url: str | None) -> dict[str, Any] | None:
    place = metrics_place(chosen, metrics_url)
    told = full_status(place)
    if told is None and metrics_url is not None:
        outcome.fail(f"{place}: no wsrelay says its status there", outcome.DOWN)
    return told


def _short(chosen: Chosen) -> dict[str, Any]:
    """What the relay's own port says."""
    place = chosen.place
    try:
        up = place.ask("GET", f"{place.prefix}/up")
        if up.status != 200 or not isinstance(up.json, dict) or "health" not in up.json:
            outcome.fail(f"{place} answers, but not as a wsrelay ({up.status})", outcome.DOWN)
        ready = place.ask("GET", f"{place.prefix}/ready")
    except Unreachable as error:
        outcome.fail(f"down: {error}", outcome.DOWN)
    told = ready.json if isinstance(ready.json, dict) else {}
    return {
        "listening": [str(place)],
        "ready": ready.status != 503,
        "reasons": told.get("reasons", [] if ready.status != 503 else [ready.reason]),
    }


def _show(told: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    terminal = console()
    reasons = "; ".join(map(str, told.get("reasons", ())))
    terminal.print(
        "[green]up and ready[/]"
        if told["ready"]
        else f"[yellow]up, not ready[/]: {escape(reasons)}"
    )
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(told):
        table.add_row(name, escape(value))
    terminal.print(table)
    if told.get("apps"):
        apps = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("app", "connections", "channels"):
            apps.add_column(title, justify="left" if title == "app" else "right")
        for app in told["apps"]:
            apps.add_row(escape(str(app["id"])), str(app["connections"]), str(app["channels"]))
        terminal.print(apps)
    if told.get("workers"):
        workers = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("worker", "process", "connections", "replaced", "ready"):
            workers.add_column(title, justify="right")
        for each in told["workers"]:
            workers.add_row(
                str(each["worker"]),
                str(each["pid"] or "none"),
                str(each["connections"]),
                str(each["restarts"]),
                "yes" if each["ready"] else "no",
            )
        terminal.print(workers)


def _rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("listening", ", ".join(map(str, told.get("listening", ()))))]
    if "version" not in told:
        return [*rows, ("more", "ask the metrics listener (metrics_port, --metrics-url)")]
    up_for = timedelta(seconds=round(told["uptime_seconds"]))
    rows += [
        ("version", f"{told['version']}, process {told['pid']}, up for {up_for}"),
        ("connections", f"{told['connections']}, in {told['channels']} channels"),
        ("messages", f"{told['messages_in_total']} in, {told['messages_out_total']} out"),
        (
            "closed",
            f"{told['slow_readers_total']} slow readers; {told['refused_total']} refused at once",
        ),
        ("reactor lag", f"{1000 * told['reactor_lag_seconds']:.1f} ms"),
    ]
    for certificate in told.get("certificates", ()):
        ends = datetime.fromisoformat(certificate["not_after"])
        rows.append(
            (
                "certificate",
                f"{', '.join(certificate['names'][:3])} until {ends:%Y-%m-%d %H:%M} UTC",
            )
        )
    if webhooks := told.get("webhooks"):
        rows.append(("webhooks", ", ".join(f"{name} {count}" for name, count in webhooks.items())))
    if cluster := told.get("cluster"):
        rows.append(("cluster", json.dumps(cluster)))
    return rows
