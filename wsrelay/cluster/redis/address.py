"""Where Redis is and how to get in, out of one URL.

    redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
    unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]
    redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT].../NAME[/DATABASE]
    redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT]...

``rediss`` in place of ``redis`` is TLS with the servers' names verified; then ``?ca=FILE`` names
who vouches for them, and ``?cert=FILE&key=FILE`` the own certificate. Sentinels may want a
password of their own: ``?sentinel_password=``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

PORT = 6379
SENTINEL_PORT = 26379
_TLS_FILES = ("ca", "cert", "key")
_EXPECTED = (
    "expected redis://HOST:PORT/DATABASE, unix:///PATH?db=DATABASE, "
    "redis+sentinel://HOST:PORT,HOST:PORT/NAME or redis+cluster://HOST:PORT,HOST:PORT; "
    "rediss in place of redis for TLS"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Shown without the passwords."""

    #: Of Redis, of the sentinels, or of some nodes of a cluster.
    hosts: tuple[tuple[str, int], ...] = ()
    topology: Literal["single", "sentinel", "cluster"] = "single"
    #: Of a unix socket; then there are no hosts.
    path: str = ""
    #: What the sentinels call the master.
    master: str = ""
    username: str = ""
    password: str = ""
    sentinel_password: str = ""
    database: int = 0
    is_tls: bool = False
    #: PEM files: who vouches for the server, the own certificate and its key. Empty: none.
    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def credentials(self) -> tuple[str, ...]:
        """What ``AUTH`` is told; nothing where Redis asks for nothing."""
        user = (self.username,) if self.username else ()
        return (*user, self.password) if self.password else ()

    def at(self, host: str, port: int) -> Address:
        """One Redis among those behind this address."""
        return replace(self, hosts=((host, port),), topology="single")

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.master} of {hosts}" if self.master else hosts

    __repr__ = __str__


def parse(url: str) -> Address:
    """Understand a URL; raise ``ValueError`` that says what is wrong without the password."""
    parts = urlsplit(url)
    transport, _, topology = parts.scheme.partition("+")
    if transport not in ("redis", "rediss", "unix") or topology not in ("", "sentinel", "cluster"):
        raise ValueError(_EXPECTED)
    if transport == "unix" and topology:
        raise ValueError(_EXPECTED)
    query = _query(parts.query, transport, topology)
    login, _, netloc = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    common: dict[str, Any] = {"username": unquote(username), "password": unquote(password)}
    if transport == "unix":
        if not parts.path:
            raise ValueError("expected unix:///PATH of a socket")
        return Address(path=unquote(parts.path), database=_database(query.get("db", "")), **common)
    first, _, second = parts.path.strip("/").partition("/")
    if topology == "sentinel" and not first:
        raise ValueError("expected the master's name: redis+sentinel://HOST:PORT/NAME")
    if topology == "cluster" and first:
        raise ValueError("a cluster has no databases: leave what is behind the hosts out")
    files: dict[str, Any] = query
    usual = SENTINEL_PORT if topology == "sentinel" else PORT
    return Address(
        hosts=tuple(_host(each, usual) for each in netloc.split(",")),
        topology="sentinel" if topology == "sentinel" else "cluster" if topology else "single",
        master=unquote(first) if topology == "sentinel" else "",
        database=_database(second if topology == "sentinel" else first),
        is_tls=transport == "rediss",
        **common,
        **files,
    )


def _query(text: str, transport: str, topology: str) -> dict[str, str]:
    query = dict(parse_qsl(text))
    known: tuple[str, ...] = {"unix": ("db",), "rediss": _TLS_FILES}.get(transport, ())
    if topology == "sentinel":
        known += ("sentinel_password",)
    for name in query:
        if name not in known:
            raise ValueError(f"?{name}= is not known here, expected {', '.join(known) or 'none'}")
    if ("cert" in query) != ("key" in query):
        raise ValueError("?cert= and ?key= belong together: a certificate and its key")
    return query


def _database(text: str) -> int:
    if text and not text.isdecimal():
        raise ValueError("the database must be a number")
    return int(text or 0)


def _host(text: str, usual: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        return parts.hostname or "localhost", parts.port or usual
    except ValueError as error:
        raise ValueError("a port must be a number from 1 to 65535") from error
