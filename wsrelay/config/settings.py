"""Every setting of the server, with its default, its bounds and what it is for."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..core.apps import KB, App, Secret

#: Runs when nothing is configured. Everybody knows its secret: it is served on loopback only.
DEVELOPMENT_APP = App(
    id="local-app-id",
    key="local-key",
    secret=Secret("local-secret"),
    client_events="members",
)


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole configuration: the top level of the TOML file, and ``[[apps]]`` below it."""

    port: Annotated[
        int, Meta(ge=0, le=65535, description="TCP port of sockets and HTTP API; 0: any free one.")
    ] = 6001
    host: Annotated[str, Meta(description="Address to listen on. Empty: all interfaces.")] = ""
    listen: Annotated[
        tuple[str, ...],
        Meta(max_length=100, description="Twisted endpoints, instead of host and port."),
    ] = ()
    path_prefix: Annotated[
        str,
        Meta(
            pattern=r"^(/[^/\s]+)*\Z",
            description="Path in front of every address, such as `/realtime`.",
        ),
    ] = ""
    cors_origins: Annotated[
        tuple[str, ...],
        Meta(max_length=100, description="Origins whose pages may read HTTP answers; `*` is any."),
    ] = ("*",)
    handshake_timeout: Annotated[
        float, Meta(gt=0, le=300, description="Seconds a new connection has for its request.")
    ] = 10.0
    max_body_bytes: Annotated[
        int, Meta(ge=KB, le=64 * KB * KB, description="Bytes of an HTTP request's body; 413 above.")
    ] = KB * KB
    max_waiting_bytes: Annotated[
        int,
        Meta(
            ge=64 * KB,
            description="Bytes that may wait for a slow reader; above, it is closed with 4100.",
        ),
    ] = KB * KB
    max_connections_per_ip: Annotated[
        int, Meta(ge=0, description="Open connections of one address; 4100 above. 0: any.")
    ] = 0
    connection_rate_per_ip: Annotated[
        float,
        Meta(ge=0, le=100_000, description="Connections a second of one address; 4100. 0: any."),
    ] = 0
    max_cache_bytes: Annotated[
        int,
        Meta(ge=0, description="Bytes that cache channels may remember; the oldest go first."),
    ] = 64 * KB * KB
    log_format: Annotated[Literal["text", "json"], Meta(description="Form of the log's lines.")] = (
        "text"
    )
    apps: Annotated[tuple[App, ...], Meta(max_length=10_000, description="The apps.")] = ()


def is_development(settings: Settings) -> bool:
    """Whether no app was configured, so that the development app runs."""
    return any(app.secret is DEVELOPMENT_APP.secret for app in settings.apps)
