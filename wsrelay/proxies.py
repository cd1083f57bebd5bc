"""Which proxies stand before the relay, and what is said of those who only pretend to."""

from __future__ import annotations

import time

from twisted.internet.interfaces import IProtocolFactory, IReactorTime

from .config.settings import Settings
from .core.notices import Tally
from .edge.gate import GateFactory
from .edge.trust import Trusted
from .sparingly import Sparingly


class Proxies:
    """Those that the settings trust."""

    def __init__(self, settings: Settings, reactor: IReactorTime, tally: Tally) -> None:
        self.trusted = Trusted(settings.trusted_proxies)
        self._reactor = reactor
        self._timeout = settings.handshake_timeout
        self._tally = tally
        self._warnings = Sparingly(time.monotonic)

    def before(self, door: IProtocolFactory, is_behind_proxies: bool) -> IProtocolFactory:
        """What listens: the door itself, or a gate before it that reads PROXY headers."""
        if not is_behind_proxies:
            return door
        return GateFactory(
            door, self.trusted, self._reactor, timeout=self._timeout, refused=self._refused
        )

    def _refused(self, host: str, why: str) -> None:
        self._tally.proxy_headers_refused += 1
        self._warnings.warn(
            "{host} closed, connections here come from proxies (proxy_protocol): {why}",
            host=host,
            why=why,
        )
