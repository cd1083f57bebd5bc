"""The hall, and who stands behind its ports: this node alone, or all nodes of a cluster."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .cluster.local import LocalBus, LocalCensus, LocalPresence
from .config.settings import Settings
from .core.cache import Memory
from .core.connections import Connections
from .core.hub import Hub
from .core.notices import Tally
from .core.ports import Observer
from .core.relay import Relay
from .core.signins import SignIns
from .core.users import SignedIn
from .pusher import codec


@dataclass(frozen=True)
class Hall:
    """What the doors and the front desk are given."""

    relay: Relay
    users: SignedIn
    signins: SignIns
    #: What this node remembers itself.
    cache: Memory


def assemble(
    settings: Settings, reactor: Any, observe: Observer, tally: Tally, connections: Connections
) -> Hall:
    """Build the hall."""
    hub = Hub()
    cache = Memory(time.monotonic, settings.max_cache_bytes)
    bus = LocalBus(cache)
    relay = Relay(
        hub=hub,
        bus=bus,
        presence=LocalPresence(observe),
        census=LocalCensus(hub, observe),
        cache=cache,
        wording=codec,
        tally=tally,
    )
    users = SignedIn(reactor.callLater, lambda app, user: signins.gone_offline(app, user))
    signins = SignIns(relay, bus, users, connections, codec)
    return Hall(relay, users, signins, cache)
