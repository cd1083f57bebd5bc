"""Sockets that the service manager made (sd_listen_fds(3)), and when they stand for the port.

``--listen systemd:...`` says by hand which socket is which. Where nobody says so, they are the
relay's plain port, so that one ``wsrelay.service`` does with and without ``wsrelay.socket``.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from itertools import chain
from typing import Any

from twisted.internet.endpoints import serverFromString

from .config.resolve import LOOPBACK
from .config.settings import Settings, is_development, tls_listeners
from .listening import CannotStart


def inherited(reactor: Any, settings: Settings) -> tuple[str, ...]:
    """The endpoints of the inherited sockets; none where the settings name some themselves.

    Raises ``CannotStart`` for a socket that must not be served.
    """
    named: Iterable[str] = chain(
        settings.listen, *(listener.listen for listener in tls_listeners(settings))
    )
    if any(endpoint.startswith("systemd:") for endpoint in named):
        return ()
    found = []
    for index in range(1024):
        endpoint = f"systemd:domain=INET:index={index}"  # of whichever family: see listening
        try:
            descriptor = serverFromString(reactor, endpoint).fileno
        except (IndexError, ValueError):
            break
        _refuse(descriptor, settings)
        found.append(endpoint)
    return tuple(found)


def _refuse(descriptor: int, settings: Settings) -> None:
    """Raise ``CannotStart`` for what can't be listened on, or not by the development app."""
    with socket.socket(fileno=os.dup(descriptor)) as inherited:
        if inherited.family not in (socket.AF_INET, socket.AF_INET6) or (
            inherited.type != socket.SOCK_STREAM
        ):
            raise CannotStart(
                "an inherited socket is not of TCP; for a unix socket: --listen unix:PATH"
            )
        host = inherited.getsockname()[0]
    if is_development(settings) and host not in LOOPBACK:
        raise CannotStart(
            f"the inherited socket on {host} needs an app of your own (--app ID:KEY:SECRET)"
        )
