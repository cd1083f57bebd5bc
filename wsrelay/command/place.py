"""Where a relay is, and how to get there."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from ..config.settings import Settings, has_plain_port, tls_listeners

#: Seconds for everything that is waited for.
TIMEOUT = 10.0
#: Bytes of an answer that are read.
MOST_BYTES = 16 * 1024 * 1024

_ANY = ("", "0.0.0.0", "::")


class Unreachable(Exception):
    """Nothing answers there, or not as HTTP. The text is for the terminal."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """What the body says; ``None`` if it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def reason(self) -> str:
        """A refusal in words."""
        told = self.json
        said = told.get("error") if isinstance(told, dict) else None
        return f"{self.status}: {said or self.body[:200].decode('utf-8', 'replace') or 'no reason'}"


@dataclass(frozen=True)
class Place:
    """One door of a relay. Proxies of the environment are not used: it is looked at directly."""

    host: str
    port: int
    prefix: str = ""
    is_tls: bool = False
    #: The name its certificate has to have; empty: nobody looks at it.
    server_name: str = ""
    #: PEM file of an authority that is trusted besides those of the system.
    ca: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}{self.prefix}"

    @property
    def _netloc(self) -> str:
        host = self.server_name or self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def socket_url(self, key: str) -> str:
        """The address that clients of this app connect to."""
        return (
            f"{'wss' if self.is_tls else 'ws'}://{self._netloc}{self.prefix}/app/{key}?protocol=7"
        )

    @property
    def context(self) -> ssl.SSLContext | None:
        if not self.is_tls:
            return None
        context = ssl.create_default_context()
        if self.ca is not None:
            context.load_verify_locations(self.ca)
        if not self.server_name:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def connect(self) -> socket.socket:
        """TCP only. Raises ``Unreachable``."""
        try:
            return socket.create_connection((self.host, self.port), TIMEOUT)
        except OSError as error:
            raise Unreachable(f"{self}: {error.strerror or error}") from error

    def secured(self) -> socket.socket:
        """The same, with TLS where that is spoken. Raises ``Unreachable``."""
        plain = self.connect()
        context = self.context
        if context is None:
            return plain
        try:
            return context.wrap_socket(plain, server_hostname=self.server_name or self.host)
        except OSError as error:
            plain.close()
            raise Unreachable(f"{self}: TLS: {error}") from error

    def ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        """The answer to a request; ``target`` has the prefix already. Raises ``Unreachable``."""
        connection = HTTPConnection(self.server_name or self.host, self.port, TIMEOUT)
        connection.sock = self.secured()
        headers = {"Connection": "close"}
        if body:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(MOST_BYTES),
            )
        except (OSError, HTTPException) as error:
            raise Unreachable(
                f"{self}: no answer by HTTP: {error or type(error).__name__}"
            ) from error
        finally:
            connection.close()


def place_of(url: str, ca: str | None = None) -> Place:
    """Raises ``ValueError`` with what was expected."""
    parts = urlsplit(url)
    schemes = {"http": 80, "ws": 80, "https": 443, "wss": 443}
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected http:// or https://, a host, and perhaps port and path")
    is_tls = parts.scheme in ("https", "wss")
    return Place(
        parts.hostname,
        parts.port or schemes[parts.scheme],
        parts.path.rstrip("/"),
        is_tls,
        parts.hostname if is_tls else "",
        ca,
    )


def places_of(settings: Settings) -> Iterator[Place]:
    """The doors that a relay with these settings has on this machine, the plain one first.

    Nobody looks at the certificates' names here: the way is short, and ``doctor`` judges them.
    Doors that only proxies may use (``proxy_protocol``) are left out. Of endpoints (``listen``)
    only ``tcp:PORT`` is understood, with ``interface=``.
    """
    prefix = settings.path_prefix
    if (settings.listen or has_plain_port(settings)) and not settings.proxy_protocol:
        for host, port in _ports(settings.listen, settings.host, settings.port):
            yield Place(host, port, prefix)
    for listener in tls_listeners(settings):
        if listener.proxy_protocol:
            continue
        where = listener.host or settings.host
        for host, port in _ports(listener.listen, where, listener.port):
            yield Place(host, port, prefix, is_tls=True)


def _ports(listen: tuple[str, ...], host: str, port: int) -> Iterator[tuple[str, int]]:
    if not listen:
        if port:
            yield "127.0.0.1" if host in _ANY else host, port
        return
    for endpoint in listen:
        kind, _, rest = endpoint.partition(":")
        parts = rest.replace("\\:", "\0").split(":")
        if kind in ("tcp", "tcp6") and parts[0].isdigit() and int(parts[0]):
            interfaces = [part[10:] for part in parts if part.startswith("interface=")]
            host = interfaces[0].replace("\0", ":") if interfaces else ""
            loopback = "::1" if kind == "tcp6" else "127.0.0.1"
            yield loopback if host in _ANY else host, int(parts[0])
