"""Where Redis is and how to get in, out of one URL.

redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
rediss://...?ca=FILE&cert=FILE&key=FILE       TLS, the host's name verified
unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

PORT = 6379
_TLS_FILES = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class Address:
    """One Redis. Shown without the password."""

    host: str = ""
    port: int = PORT
    #: Of a unix socket; then there is no host.
    path: str = ""
    username: str = ""
    password: str = ""
    database: int = 0
    is_tls: bool = False
    #: PEM files: who vouches for the server, the own certificate and its key. Empty: none.
    ca: str = ""
    cert: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"unix:{self.path}" if self.path else f"{self.host}:{self.port}"

    __repr__ = __str__


def parse(url: str) -> Address:
    """Understand a URL; raise ``ValueError`` that says what is wrong without the password."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            "expected redis://HOST:PORT/DATABASE, rediss:// for TLS, or unix:///PATH?db=DATABASE"
        )
    query = dict(parse_qsl(parts.query))
    is_unix, is_tls = parts.scheme == "unix", parts.scheme == "rediss"
    known = ("db",) if is_unix else _TLS_FILES if is_tls else ()
    for name in query:
        if name not in known:
            raise ValueError(f"?{name}= is not known here, expected {', '.join(known) or 'none'}")
    if ("cert" in query) != ("key" in query):
        raise ValueError("?cert= and ?key= belong together: a certificate and its key")
    database = query.pop("db", "") if is_unix else parts.path.lstrip("/")
    if database and not database.isdecimal():
        raise ValueError("the database must be a number")
    try:
        port = parts.port or PORT
    except ValueError as error:
        raise ValueError("the port must be a number from 1 to 65535") from error
    if is_unix and not parts.path:
        raise ValueError("expected unix:///PATH of a socket")
    return Address(
        host="" if is_unix else parts.hostname or "localhost",
        port=port,
        path=unquote(parts.path) if is_unix else "",
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=int(database or 0),
        is_tls=is_tls,
        **query,
    )
