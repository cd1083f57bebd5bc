"""An app: its credentials, its rights and its limits, each with its default and its bounds.

These definitions are the only ones: the configuration is read straight into them, and the
descriptions are what the configuration reference shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct

from .rules import Rule
from .secret import Secret as Secret

ClientEvents = Literal["members", "all", "off"]
ErrorDialect = Literal["soketi", "pusher", "both"]
WebhookEvent = Literal[
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
]

KB = 1024


class Webhook(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One address that is told of an app's events: what ``[[apps.webhooks]]`` may hold."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s]+\Z", max_length=2000, description="Where events are POSTed."
        ),
    ]
    events: Annotated[
        tuple[WebhookEvent, ...],
        Meta(description="The kinds of events it is told of. Empty: all."),
    ] = ()
    channel_prefix: Annotated[
        str, Meta(description="Only channels whose name starts with this.")
    ] = ""
    channel_suffix: Annotated[str, Meta(description="Only channels whose name ends with this.")] = (
        ""
    )
    headers: Annotated[
        dict[str, Secret],
        Meta(max_length=50, description="Headers to send along; their values are kept secret."),
    ] = {}


class App(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One application: what ``[[apps]]`` may hold in the TOML file."""

    id: Annotated[
        str,
        Meta(
            pattern=r"^[^/\s]+\Z",
            max_length=128,
            description="In the path of the HTTP API. Some libraries want digits only.",
        ),
    ]
    key: Annotated[
        str,
        Meta(
            pattern=r"^[^/\s:]+\Z",
            max_length=128,
            description="Public: the path clients connect to, and half of every signature.",
        ),
    ]
    secret: Secret
    enabled: Annotated[bool, Meta(description="false: clients get 4003, backends 403.")] = True

    client_events: Annotated[
        ClientEvents,
        Meta(
            extra={"pusher": "off"},
            description="Who may whisper: `members` of private and presence channels; `all` "
            "subscribers, of public channels too; `off`, nobody.",
        ),
    ] = "members"
    client_event_rate: Annotated[
        float,
        Meta(
            extra={"pusher": "10"},
            ge=0,
            le=100_000,
            description="Client events a second and connection; 0: any.",
        ),
    ] = 10
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(
            max_length=100,
            description="Hosts of pages that may connect; `*` is any, `*.example.com` a pattern.",
        ),
    ] = ("*",)
    error_dialect: Annotated[
        ErrorDialect,
        Meta(
            description="A failed subscription is told as `pusher:subscription_error` "
            "(`soketi`), as `pusher:error` (`pusher`), or as `both`."
        ),
    ] = "soketi"
    activity_timeout: Annotated[
        int,
        Meta(
            extra={"pusher": "120"},
            ge=10,
            le=3600,
            description="Seconds of silence after which clients ping.",
        ),
    ] = 120

    subscription_count: Annotated[
        bool,
        Meta(
            extra={"pusher": "off"},
            description="Tell subscribers how many they are, as `pusher:subscription_count`.",
        ),
    ] = False
    watchlist: Annotated[
        bool,
        Meta(
            extra={"pusher": "off"},
            description="Tell signed-in users which users they watch are online.",
        ),
    ] = True
    authorization_timeout: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="Seconds in which a connection must sign in or subscribe to a private or "
            "presence channel, or be closed with 4009. 0: no such duty.",
        ),
    ] = 0
    cache_seconds: Annotated[
        int,
        Meta(
            extra={"pusher": "up to 30 minutes"},
            ge=1,
            le=86_400,
            description="How long a cache channel remembers its event.",
        ),
    ] = 1800
    event_rate: Annotated[
        float,
        Meta(
            extra={"pusher": "by plan"},
            ge=0,
            description="Channels that backends may publish to a second; 429. 0: any.",
        ),
    ] = 0
    read_rate: Annotated[
        float, Meta(ge=0, description="GET requests of backends a second; 429 above. 0: any.")
    ] = 0
    always_report_subscription_count: Annotated[
        bool, Meta(description="Report it of every single channel, asked or not, as Soketi does.")
    ] = False
    webhooks: Annotated[
        tuple[Webhook, ...], Meta(max_length=20, description="Who is told of events.")
    ] = ()
    rules: Annotated[
        tuple[Rule, ...],
        Meta(
            max_length=100,
            extra={"pusher": "none"},
            description="What some channels do beyond Pusher.",
        ),
    ] = ()
    webhook_batching: Annotated[
        bool,
        Meta(
            extra={"pusher": "off"}, description="Send events that happen together in one request."
        ),
    ] = False

    max_connections: Annotated[
        int,
        Meta(
            extra={"pusher": "by plan"},
            ge=0,
            description="Open connections; 4004 above. 0: any number.",
        ),
    ] = 0
    max_event_bytes: Annotated[
        int,
        Meta(
            extra={"pusher": "10 KB"},
            ge=1,
            le=KB * KB,
            description="Bytes of an event's `data` (UTF-8); 413 above.",
        ),
    ] = 10 * KB
    max_event_name_length: Annotated[
        int,
        Meta(extra={"pusher": "200"}, ge=1, le=1000, description="Characters of an event's name."),
    ] = 200
    max_channel_name_length: Annotated[
        int,
        Meta(extra={"pusher": "164"}, ge=1, le=1000, description="Characters of a channel's name."),
    ] = 200
    max_channels_per_event: Annotated[
        int,
        Meta(
            extra={"pusher": "100"},
            ge=1,
            le=10_000,
            description="Channels that one publish may name.",
        ),
    ] = 100
    max_events_per_batch: Annotated[
        int,
        Meta(
            extra={"pusher": "10"},
            ge=1,
            le=1000,
            description="Events in one request to `batch_events`.",
        ),
    ] = 10
    max_watchlist: Annotated[
        int,
        Meta(
            extra={"pusher": "100"},
            ge=0,
            le=10_000,
            description="Users that one user may watch; 4302 above.",
        ),
    ] = 100
    max_subscriptions: Annotated[
        int, Meta(ge=1, le=100_000, description="Channels one connection may subscribe to.")
    ] = 2000
    max_presence_members: Annotated[
        int,
        Meta(
            extra={"pusher": "100"},
            ge=1,
            le=100_000,
            description="Distinct users of one presence channel.",
        ),
    ] = 100
    max_user_info_bytes: Annotated[
        int,
        Meta(
            extra={"pusher": "1 KB"},
            ge=0,
            le=64 * KB,
            description="Bytes of a member's `user_info`.",
        ),
    ] = 2 * KB
    max_user_id_length: Annotated[
        int, Meta(extra={"pusher": "128"}, ge=1, le=1000, description="Characters of a user's id.")
    ] = 128


class Apps:
    """The apps this relay serves, found by their id (HTTP) or by their key (sockets)."""

    _by_id: dict[str, App]
    _by_key: dict[str, App]

    def __init__(self, apps: Iterable[App]) -> None:
        self.serve(apps)

    def serve(self, apps: Iterable[App]) -> None:
        """Serve these from now on, and no others; raise ``ValueError`` and change nothing."""
        by_id: dict[str, App] = {}
        by_key: dict[str, App] = {}
        for app in apps:
            if app.id in by_id:
                raise ValueError(f"two apps have the id {app.id!r}; ids must differ")
            if app.key in by_key:
                raise ValueError(f"two apps have the key {app.key!r}; keys must differ")
            by_id[app.id] = app
            by_key[app.key] = app
        self._by_id, self._by_key = by_id, by_key

    def with_id(self, app_id: str) -> App | None:
        return self._by_id.get(app_id)

    def with_key(self, key: str) -> App | None:
        return self._by_key.get(key)

    def __iter__(self) -> Iterator[App]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)
