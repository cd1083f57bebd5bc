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
#: Processes of one relay, at most.
MOST_WORKERS = 128


class Certificate(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A certificate and its key: a table of ``certificates`` below ``[[tls]]``."""

    cert: Annotated[
        str,
        Meta(
            min_length=1,
            description="PEM file: the server's own certificate, and behind it those that vouch "
            "for it, as in Let's Encrypt's `fullchain.pem`.",
        ),
    ]
    key: Annotated[
        str, Meta(min_length=1, description="PEM file: the private key, without a passphrase.")
    ]
    chain: Annotated[
        str,
        Meta(description="PEM file: those that vouch for it, where `cert` does not hold them."),
    ] = ""
    names: Annotated[
        tuple[str, ...],
        Meta(
            max_length=1000,
            description="Names it is shown for; `*.example.org` is one label. Empty: its own.",
        ),
    ] = ()


class TlsListener(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place where TLS is spoken: ``[[tls]]``."""

    port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="TCP port. The same as the server's `port`: in its place. 0: any free one.",
        ),
    ] = 6443
    host: Annotated[str, Meta(description="Address to listen on. Empty: the server's `host`.")] = ""
    listen: Annotated[
        tuple[str, ...],
        Meta(max_length=100, description="Twisted endpoints, instead of host and port."),
    ] = ()
    certificates: Annotated[
        tuple[Certificate, ...],
        Meta(
            min_length=1,
            max_length=1000,
            description="Chosen by the name that the client asks for; the first is for all others.",
        ),
    ]
    minimum_version: Annotated[
        Literal["1.2", "1.3"], Meta(description="Oldest version of TLS that is spoken.")
    ] = "1.2"
    proxy_protocol: Annotated[
        bool,
        Meta(
            description="Connections begin with a PROXY header, version 1 or 2, before TLS, and "
            "come from `trusted_proxies` only."
        ),
    ] = False
    client_ca: Annotated[
        str,
        Meta(
            description="PEM file: the authorities whose clients may connect. Empty: clients are "
            "not asked for a certificate."
        ),
    ] = ""
    client_certificate_is_optional: Annotated[
        bool,
        Meta(description="With `client_ca`: clients without a certificate may connect as well."),
    ] = False


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
    request_timeout: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="Seconds from an HTTP request's first byte to its last; 408 after that.",
        ),
    ] = 30.0
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
        int,
        Meta(ge=0, description="Open connections of an address (IPv6: a /64); 4100. 0: any."),
    ] = 0
    connection_rate_per_ip: Annotated[
        float,
        Meta(ge=0, le=100_000, description="The same that are made in a second; 4100. 0: any."),
    ] = 0
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            max_length=1000,
            description="Proxies that are believed when they say whom they speak for "
            "(`X-Forwarded-For`, PROXY header): addresses, networks such as `10.0.0.0/8`, or "
            "`unix` for whoever connects to a Unix socket. Empty: none.",
        ),
    ] = ()
    proxy_protocol: Annotated[
        bool,
        Meta(
            description="Connections to `port`, `tls_port` and `listen` begin with a PROXY "
            "header, version 1 or 2, and come from `trusted_proxies` only."
        ),
    ] = False
    webhook_private_addresses: Annotated[
        bool,
        Meta(description="Whether webhooks may go to loopback, link-local and private addresses."),
    ] = False
    max_cache_bytes: Annotated[
        int,
        Meta(ge=0, description="Bytes that cache channels may remember; the oldest go first."),
    ] = 64 * KB * KB
    log_format: Annotated[Literal["text", "json"], Meta(description="Form of the log's lines.")] = (
        "text"
    )
    log_connections: Annotated[
        bool,
        Meta(
            description="Whether the log has a line for each connection that opens and for each "
            "that closes. Refusals and faults have theirs in any case."
        ),
    ] = True
    drain: Annotated[
        float,
        Meta(
            ge=0,
            le=300,
            description="Seconds over which clients are sent to the successor when the server "
            "stops; without one they are sent at once.",
        ),
    ] = 5.0
    successor: Annotated[
        Literal["auto", "present", "none"],
        Meta(
            description="Whether others serve the clients while this server stops. `auto`: found "
            "out, by `reuse_port` and inherited sockets; `present`: other nodes behind the same "
            "load balancer do."
        ),
    ] = "auto"
    reuse_port: Annotated[
        bool,
        Meta(
            description="Share the ports with other processes of the same user (SO_REUSEPORT): "
            "one for each core, or the next one while this one stops."
        ),
    ] = False
    workers: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_WORKERS)] | Literal["auto"],
        Meta(description="Processes that are one relay by way of `redis`; `auto`: one a core."),
    ] = 1
    deflate: Annotated[
        bool,
        Meta(
            description="Compress messages for clients that offer permessage-deflate, each "
            "message once for all of them."
        ),
    ] = False
    metrics_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="TCP port of `/metrics` (Prometheus) and `/status`. Each relay of a "
            "machine needs its own; a taken one is tried again until it is free. 0: none.",
        ),
    ] = 9601
    metrics_host: Annotated[
        str,
        Meta(min_length=1, description="Address of it: whoever can reach that sees the numbers."),
    ] = "127.0.0.1"
    echo_path: Annotated[
        str,
        Meta(
            pattern=r"^(/[^/\s?#]+)*\Z",
            description="Path of an end point that says every message back, such as `/echo`: for "
            "conformance suites, for which anybody may send it messages of 16 MiB. Empty: none.",
        ),
    ] = ""
    redis: Annotated[
        Secret | None,
        Meta(
            description="Redis by which several nodes are one relay: `redis://HOST:PORT/DATABASE`, "
            "`rediss://` for TLS, `unix:///PATH`, `redis+sentinel://HOSTS/NAME` or "
            "`redis+cluster://HOSTS`; with `USER:PASSWORD@`. None: this node is alone."
        ),
    ] = None
    redis_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_.-]+\Z",
            max_length=100,
            description="What all names in Redis begin with; another one is another relay.",
        ),
    ] = "wsrelay"
    tls_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="TCP port of TLS, with `tls_cert` and `tls_key`. The same as `port`: in "
            "its place. 0: any free one.",
        ),
    ] = 6443
    tls_cert: Annotated[
        str,
        Meta(description="PEM file: certificate and chain, such as `fullchain.pem`. Empty: none."),
    ] = ""
    tls_key: Annotated[
        str, Meta(description="PEM file: the private key of `tls_cert`, without a passphrase.")
    ] = ""
    tls: Annotated[
        tuple[TlsListener, ...], Meta(max_length=100, description="Listeners that speak TLS.")
    ] = ()
    apps: Annotated[tuple[App, ...], Meta(max_length=10_000, description="The apps.")] = ()


def is_development(settings: Settings) -> bool:
    """Whether no app was configured, so that the development app runs."""
    return any(app.secret is DEVELOPMENT_APP.secret for app in settings.apps)


def has_plain_port(settings: Settings) -> bool:
    """Whether the server's own port stays plain: a TLS listener may stand in its place."""
    return not settings.port or not any(
        not listener.listen
        and listener.port == settings.port
        and listener.host in ("", settings.host)
        for listener in tls_listeners(settings)
    )


def tls_listeners(settings: Settings) -> tuple[TlsListener, ...]:
    """Where TLS is spoken: by ``tls_port``, ``tls_cert`` and ``tls_key``, then all of ``tls``."""
    if not settings.tls_cert:
        return settings.tls
    certificate = Certificate(cert=settings.tls_cert, key=settings.tls_key)
    listener = TlsListener(
        port=settings.tls_port,
        certificates=(certificate,),
        proxy_protocol=settings.proxy_protocol,
    )
    return (listener, *settings.tls)
