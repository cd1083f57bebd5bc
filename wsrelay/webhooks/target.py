"""One webhook of one app: what it wants to hear, and whether its configuration makes sense."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import get_args
from urllib.parse import urlsplit

from ..core.apps import App, Webhook, WebhookEvent

EVERY_KIND: frozenset[WebhookEvent] = frozenset(get_args(WebhookEvent))

#: Headers that say how the request is framed, and those by which a receiver trusts it.
OWN_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-pusher-key",
        "x-pusher-signature",
    }
)

_is_header_name = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_is_header_value = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
_is_visible_ascii = re.compile(r"[\x21-\x7e]+").fullmatch


class Target:
    """A webhook and the app that signs for it. Raises ``ValueError`` for a faulty one."""

    def __init__(self, app: App, webhook: Webhook, number: int) -> None:
        fault = fault_in_webhook(webhook)
        if fault is not None:
            raise ValueError(f"webhook {number} of app {app.id}: {fault}")
        self.app = app
        self._webhook = webhook
        self.url = webhook.url.encode()
        self.headers = {name: value.reveal() for name, value in webhook.headers.items()}
        parts = urlsplit(webhook.url)
        #: For the log. The path and the query stay out: some receivers have their secret there.
        self.name = f"webhook {number} of app {app.id} ({parts.scheme}://{parts.netloc})"
        self._kinds = frozenset(webhook.events) or EVERY_KIND
        self._prefix = webhook.channel_prefix
        self._suffix = webhook.channel_suffix

    def is_same(self, app: App, webhook: Webhook) -> bool:
        """Whether a webhook is asked, signed for and batched as this one is."""
        own = self.app
        return self._webhook == webhook and (
            (own.key, own.secret, own.webhook_batching)
            == (app.key, app.secret, app.webhook_batching)
        )

    def wants(self, kind: WebhookEvent, channel: str) -> bool:
        return kind in self._kinds and self._wants_channel(channel)

    def wants_any(self, kinds: Set[WebhookEvent], channel: str) -> bool:
        return not self._kinds.isdisjoint(kinds) and self._wants_channel(channel)

    def _wants_channel(self, channel: str) -> bool:
        return channel.startswith(self._prefix) and channel.endswith(self._suffix)


def fault_in_webhook(webhook: Webhook) -> str | None:
    """What is wrong with a webhook's URL or headers, in words; ``None`` when it may be used."""
    fault = _fault_in_url(webhook.url)
    if fault is not None:
        return f"url: {fault}"
    for name, value in webhook.headers.items():
        if not _is_header_name(name):
            return f"headers: {name!r} is no name of an HTTP header"
        if name.lower() in OWN_HEADERS:
            return f"headers: {name} is set by the relay itself"
        if not _is_header_value(value.reveal()):
            return f"headers: the value of {name} holds a line break or another control character"
    return None


def _fault_in_url(url: str) -> str | None:
    if not _is_visible_ascii(url):
        return "expected ASCII without spaces: an international name as xn--…, the rest as %XX"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a URL ({error})"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "expected http:// or https://, a host and perhaps a port"
    if "@" in parts.netloc:
        return "a user or password in it is not sent: use an Authorization header (headers)"
    return None
