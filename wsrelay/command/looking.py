"""What can be found in the configuration alone: its files, and where webhooks go."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..config.settings import is_development
from ..webhooks.addresses import refusal_of
from ..webhooks.target import fault_in_webhook
from .chosen import Chosen
from .findings import Finding, fault, good, warning


def at_configuration(chosen: Chosen) -> Iterator[Finding]:
    """It is good by now, or the command has ended; who can read it, and what it means."""
    settings = chosen.settings
    names = ", ".join(app.id for app in settings.apps[:10])
    if is_development(settings):
        yield warning(
            "configuration",
            "no app is configured: this is the development app, whose secret is public",
            "for more than development, configure an app: --config, --laravel-env or PUSHER_APP_ID,"
            " PUSHER_APP_KEY and PUSHER_APP_SECRET",
        )
    else:
        yield good("configuration", f"apps: {names}")
    for app in settings.apps:
        if not app.enabled:
            yield warning(
                "configuration",
                f"app {app.id} is disabled",
                "enabled = true lets its clients in again",
            )
    yield from _open_files(chosen)


def _open_files(chosen: Chosen) -> Iterator[Finding]:
    for path in (
        chosen.config or os.environ.get("WSRELAY_CONFIG"),
        chosen.laravel_env or os.environ.get("WSRELAY_LARAVEL_ENV"),
    ):
        if path and os.stat(path).st_mode & stat.S_IROTH:
            yield warning(
                "configuration",
                f"any user of this machine can read {path} and the secrets in it",
                f"chmod o-r {path}, and see that the relay's user can still read it",
            )


def at_webhooks(chosen: Chosen) -> Iterator[Finding]:
    """Whether their names resolve, to addresses that may be asked. Nobody is asked."""
    settings = chosen.settings
    hosts: dict[str, str] = {}
    for app in settings.apps:
        for number, webhook in enumerate(app.webhooks, 1):
            name = f"webhook {number} of app {app.id}"
            wrong = fault_in_webhook(webhook)
            if wrong is not None:
                yield fault("webhooks", f"{name}: {wrong}", "the relay does not start with it")
            else:
                hosts.setdefault(urlsplit(webhook.url).hostname or "", name)
    for host, name in hosts.items():
        yield _look_up(host, name, settings.webhook_private_addresses)


def _look_up(host: str, name: str, may_be_private: bool) -> Finding:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return fault(
            "webhooks",
            f"{name}: {host} does not resolve: {error.strerror}",
            "look for a mistake in its url, and whether this machine's resolver knows the name",
        )
    addresses = sorted({str(each[4][0]).partition("%")[0] for each in found})
    kinds = [refusal_of(address) for address in addresses]
    if all(kinds) and not may_be_private:
        return fault(
            "webhooks",
            f"{name}: {host} leads to {addresses[0]}, a {kinds[0]} address",
            "if that is meant, set webhook_private_addresses = true",
        )
    return good("webhooks", f"{name}: {host} is {', '.join(addresses[:3])}")
