"""``wsrelay doctor``: looks for what is wrong, and says what to do about each finding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import click

from . import outcome
from .chosen import Chosen, choosing
from .findings import Finding, Level
from .looking import at_configuration, at_webhooks
from .probing import Probed, at_clock, at_descriptors, at_doors, at_loop_back
from .screen import console, on_one_line
from .tls_looks import at_certificates, at_served_certificates

#: Looks of a whole configuration; another room that is configured has its look here.
OF_CONFIGURATION: tuple[Callable[[Chosen], Iterator[Finding]], ...] = (
    at_configuration,
    at_certificates,
    at_webhooks,
)
#: Looks at what runs.
OF_THE_RELAY: tuple[Callable[[Chosen, Probed], Iterator[Finding]], ...] = (
    at_descriptors,
    at_served_certificates,
    at_clock,
    at_loop_back,
)

_SIGNS = {
    Level.GOOD: "[green]good[/]",
    Level.SKIPPED: "[dim]skipped[/]",
    Level.WARNING: "[yellow]warning[/]",
    Level.FAULT: "[red]fault[/]",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A list of findings, JSON.")
@choosing(app=True, place=True)
def doctor(chosen: Chosen, as_json: bool) -> None:
    """Look for what is wrong, and say what to do about it.

    Looks at the configuration, certificates and webhooks, and at the relay that runs: descriptors,
    ports, the certificate that is shown, the clock, and whether an event that is published by HTTP
    comes to a subscribed client. That event goes to a private channel of its own, which nobody
    else is in. With --url it looks at that relay, which may be far away, and not at files.

    Exit codes: 0 no fault (there may be warnings), 1 a fault.
    """
    findings = list(examine(chosen))
    if as_json:
        click.echo(json.dumps([_plain(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    if any(finding.level is Level.FAULT for finding in findings):
        raise SystemExit(outcome.NO)


def examine(chosen: Chosen) -> Iterator[Finding]:
    """All findings, in the order in which they should be mended."""
    if chosen.url is None:
        for look in OF_CONFIGURATION:
            yield from look(chosen)
    probed = Probed([])
    yield from at_doors(chosen, probed)
    if probed.places:
        for probe in OF_THE_RELAY:
            yield from probe(chosen, probed)


def _plain(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "level": finding.level.value,
        "found": finding.found,
        "advice": finding.advice,
    }


def _show(findings: list[Finding]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        advice = f"\n[bold]→[/] {escape(finding.advice)}" if finding.advice else ""
        found = escape(on_one_line(finding.found))
        table.add_row(finding.check, _SIGNS[finding.level], found + advice)
    console().print(table)
