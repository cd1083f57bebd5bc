"""Who may connect: the checks of a handshake, in the order in which their answers matter."""

from __future__ import annotations

from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from msgspec import Struct

from ..core.apps import App, Apps
from ..core.errors import Code, ConnectionRefused
from .surroundings import Surroundings

#: 5 to 7 differ in names only and are answered alike.
VERSIONS = ("5", "6", "7")


class Hello(Struct, frozen=True):
    """What a client shows when it connects."""

    key: str
    #: The ``protocol`` parameter as text; ``None`` when missing, which is taken for 7.
    protocol: str | None = None
    #: The ``Origin`` header; empty for clients that are not browsers.
    origin: str = ""
    #: ``client`` and ``version`` parameters, for the log only.
    client: str = ""


def enter(around: Surroundings, hello: Hello, address: str) -> App:
    """``admit``, for one more connection from this address; raise ``ConnectionRefused``."""
    if around.connections.is_closing:
        raise ConnectionRefused(Code.OVER_CAPACITY, "the server is stopping")
    if around.connections.is_full:
        raise ConnectionRefused(Code.OVER_CAPACITY, "the server has no room for more connections")
    around.visitors.arrive(address)
    app = around.apps.with_key(hello.key)
    count = around.connections.count_everywhere(app.id) if app is not None else 0
    try:
        return admit(around.apps, hello, count)
    except ConnectionRefused:
        around.visitors.leave(address)
        raise


def admit(apps: Apps, hello: Hello, open_connections: int) -> App:
    """The app this client may talk to; raise ``ConnectionRefused`` with the right code.

    ``open_connections`` counts those of the app that the client names.
    """
    app = apps.with_key(hello.key)
    if app is None:
        raise ConnectionRefused(
            Code.APP_NOT_FOUND,
            f"no app has the key {hello.key[:64]!r}: compare the client's key with the server's",
        )
    if not app.enabled:
        raise ConnectionRefused(Code.APP_DISABLED, "this app is disabled (enabled = false)")
    _check_version(hello.protocol)
    if not is_origin_allowed(app, hello.origin):
        raise ConnectionRefused(
            Code.UNAUTHORIZED,
            f"pages of {hello.origin[:128] or 'no origin'} may not connect (allowed_origins)",
        )
    if app.max_connections and open_connections >= app.max_connections:
        raise ConnectionRefused(
            Code.OVER_CONNECTION_QUOTA,
            f"the app has {app.max_connections} connections open, its limit (max_connections)",
        )
    return app


def _check_version(protocol: str | None) -> None:
    if protocol is None or protocol in VERSIONS:
        return
    if not protocol.isascii() or not protocol.isdigit():
        raise ConnectionRefused(Code.VERSION_MALFORMED, "protocol must be a number: 5, 6 or 7")
    raise ConnectionRefused(
        Code.VERSION_UNSUPPORTED, f"protocol {protocol[:8]} is not spoken here: use 5, 6 or 7"
    )


def is_origin_allowed(app: App, origin: str) -> bool:
    """Whether the host of an ``Origin`` header fits one of the app's patterns."""
    if "*" in app.allowed_origins:
        return True
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return any(fnmatchcase(host, pattern.lower()) for pattern in app.allowed_origins)
