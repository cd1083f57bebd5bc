"""The hall, and who stands behind its ports: this node alone, or all nodes of a cluster."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from .cluster.local import LocalBus, LocalCensus, LocalPresence
from .cluster.redis.address import parse
from .cluster.redis.room import RedisRoom
from .config.settings import Settings
from .core.apps import Apps
from .core.cache import Memory
from .core.connections import Connections
from .core.hub import Hub
from .core.notices import Tally
from .core.ports import Observer
from .core.readiness import Readiness
from .core.relay import Relay
from .core.signins import SignIns
from .core.users import SignedIn
from .listening import CannotStart
from .log import spawn
from .pusher import codec
from .rules.rulebook import Means, Rulebook


@dataclass(frozen=True)
class Hall:
    """What the doors and the front desk are given."""

    relay: Relay
    signins: SignIns
    #: The users of this node alone; ``None`` in a cluster.
    users: SignedIn | None
    #: The way to the other nodes; ``None`` when this node is alone.
    room: RedisRoom | None
    #: What this node remembers itself.
    cache: Memory


def assemble(
    settings: Settings,
    reactor: Any,
    apps: Apps,
    observe: Observer,
    tally: Tally,
    connections: Connections,
    readiness: Readiness,
) -> Hall:
    """Build the hall. Raises ``CannotStart`` when ``redis`` can't be used as it is written."""
    means = Means(codec, tally, reactor.callLater, time.time)
    rulebook = Rulebook(apps, means)
    hub = Hub(lambda app_id, channel: rulebook.rules_of(app_id, channel))
    cache = Memory(time.monotonic, settings.max_cache_bytes)
    if settings.redis is None:
        bus, census = LocalBus(cache), LocalCensus(hub, observe)
        relay = Relay(
            hub=hub,
            bus=bus,
            presence=LocalPresence(observe, census),
            census=census,
            cache=cache,
            wording=codec,
            tally=tally,
        )
        users = SignedIn(reactor.callLater, lambda app, user: signins.gone_offline(app, user))
        signins = SignIns(relay, bus, users, connections, codec)
        return Hall(relay, signins, users, None, cache)
    try:
        room = RedisRoom(
            reactor,
            parse(settings.redis.reveal().decode()),
            settings.redis_prefix,
            apps=apps,
            hub=hub,
            connections=connections,
            observer=observe,
            wording=codec,
            readiness=readiness,
            spawn=spawn,
        )
    except Exception as error:  # OpenSSL has its own, and is known elsewhere only
        raise CannotStart(f"redis: {error}") from error
    rulebook = Rulebook(apps, structs.replace(means, nodes=room.remarks))
    relay = Relay(
        hub=hub,
        bus=room.bus,
        presence=room.presence,
        census=room.census,
        cache=room.cache,
        wording=codec,
        tally=tally,
    )
    signins = SignIns(relay, room.bus, room.users, connections, codec)
    room.introduce(
        deliver=relay.deliver,
        terminate=signins.terminate_here,
        come_online=signins.come_online,
        gone_offline=signins.gone_offline,
    )
    return Hall(relay, signins, None, room, cache)
