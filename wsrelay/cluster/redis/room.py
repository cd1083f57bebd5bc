"""The post room with Redis: who stands behind the hall's ports, going away and coming back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ...core.apps import Apps
from ...core.connections import Connections
from ...core.hub import Hub
from ...core.names import USER_CHANNEL_PREFIX, WATCHLIST_PREFIX
from ...core.ports import Colleagues, Observer, Wording
from ...core.publication import Publication
from ...core.readiness import Readiness
from . import envelope
from .address import Address
from .bus import RedisBus
from .census import RedisCensus
from .channels import CHANNEL, LISTING, NODES, Steps
from .edges import Edges
from .endpoint import endpoints
from .interest import Interests
from .leases import BEAT, LEASE, Leases
from .link import LONGEST_PAUSE, Link
from .names import Key, Names
from .online import RedisUsers
from .presence import RedisPresence
from .quota import Quota
from .remarks import Remarks
from .remembering import RedisCache
from .sentinel import SentinelEndpoint
from .shards import Shards
from .tally import ClusterTally
from .wire import Unreachable

_log = Logger()

#: Seconds after the return in which backends are still refused: another node, which has lost
#: Redis as well, may need so long, and its clients would not hear what is acknowledged here.
SETTLING = LONGEST_PAUSE + 0.5
#: Seconds after the return in which other nodes return too, and nobody is missed in Redis.
PATIENCE = LEASE + 2 * BEAT


class RedisRoom:
    """All of it. ``introduce`` must be called before ``start``."""

    def __init__(
        self,
        reactor: Any,
        address: Address,
        prefix: str,
        *,
        apps: Apps,
        hub: Hub,
        connections: Connections,
        observer: Observer,
        wording: Wording,
        readiness: Readiness,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._reactor = reactor
        self._apps = apps
        self._readiness = readiness
        self._spawn = spawn
        self.tally = ClusterTally()
        #: This process, for as long as it runs.
        self.origin = secrets.token_hex(6)
        names = Names(prefix)
        self._names = names
        to = endpoints(reactor, address)
        first = address.hosts[0] if address.hosts else ("", 0)
        sentinels = SentinelEndpoint(reactor, address, to) if address.master else None
        endpoint = sentinels or to(*first)
        is_cluster = address.topology == "cluster"
        hears: dict[str, Any] = {
            "scripts": (CHANNEL, NODES, LISTING),
            "on_up": self._up,
            "on_down": self._down,
            "on_message": self._hear,
            "spawn": spawn,
        }
        self.link: Link | Shards
        if is_cluster:
            self.link = Shards(reactor, address, to, **hears)
        else:
            is_right = sentinels.is_right if sentinels else None
            self.link = Link(reactor, address, lambda: endpoint, is_right=is_right, **hears)
        steps = self._steps = Steps(self.link, names, self._tells, is_cluster=is_cluster)
        later, clock = reactor.callLater, time.monotonic
        self._edges = edges = Edges(
            steps,
            observer=observer,
            come_online=lambda app_id, user_id: self._come_online(app_id, user_id),
            gone_offline=lambda app_id, user_id: self._gone_offline(app_id, user_id),
            call_later=later,
            clock=clock,
            spawn=spawn,
            released=lambda key: self._interests.unregister(key),
        )
        self.presence = RedisPresence(
            steps,
            deliver=lambda publication: self._deliver(publication),
            wording=wording,
            joined=edges.joined,
            parted=edges.parted,
            flush=lambda: self.bus.flush(),
            call_later=later,
            spawn=spawn,
        )
        self._interests = Interests(
            steps,
            edge=edges.passed,
            may_unregister=lambda key: not edges.holds(key),
            call_later=later,
            spawn=spawn,
        )
        self.bus = RedisBus(
            steps,
            self._interests,
            self.origin,
            self.tally,
            deliver=lambda publication: self._deliver(publication),
            judge=hub.judge,
            presence=self.presence.hear,
            remarks=lambda key, letter: self.remarks.hear(key, letter),
            missed=lambda key: self.remarks.missed(key),
            terminate=lambda app_id, user_id: self._terminate(app_id, user_id),
            call_later=later,
            clock=clock,
        )
        self.remarks = Remarks(
            steps,
            self._interests,
            self.bus,
            self.origin,
            self.tally,
            colleagues=partial(_colleagues, hub),
            has_member=self.presence.has_member,
            call_later=later,
            spawn=spawn,
        )
        self.census = RedisCensus(
            steps, hub, self._interests, edge=edges.passed, call_later=later, spawn=spawn
        )
        self.cache = RedisCache(self.link, names)
        self.users = RedisUsers(
            steps, self.census.flush, lambda app_id, name: hub.channel(app_id, name) is not None
        )
        self._quota = Quota(steps, self.origin, apps, connections, later)
        self._leases = Leases(
            steps,
            self.origin,
            edges,
            self._quota,
            self.tally,
            call_later=later,
            clock=clock,
            spawn=spawn,
            on_dead=self._up,
        )
        #: Which return is the newest: an older one gives up.
        self._return = 0
        #: Seconds that a return takes more than its steps; none at the start.
        self._settling = 0.0
        self._timer: IDelayedCall | None = None
        self._readiness.withdraw("redis", f"Redis: {self.link.reason}")

    def introduce(
        self,
        *,
        deliver: Callable[[Publication], None],
        terminate: Callable[[str, str], None],
        come_online: Callable[[str, str], None],
        gone_offline: Callable[[str, str], None],
    ) -> None:
        """Those who are only there when the hall is."""
        self._deliver = deliver
        self._terminate = terminate
        self._come_online = come_online
        self._gone_offline = gone_offline

    def _tells(self, key: Key) -> bool:
        """Whether anybody wants to know who comes to the channel and leaves it."""
        app_id, channel = key
        if channel.startswith(USER_CHANNEL_PREFIX):
            return True
        app = self._apps.with_id(app_id)
        return app is not None and bool(app.webhooks) and not channel.startswith(WATCHLIST_PREFIX)

    # -- away and back ---------------------------------------------------------------------

    def start(self) -> None:
        self.link.start()

    def depart(self) -> None:
        """The relay will stop: clients that it closes are given time to come back elsewhere."""
        self.presence.is_departing = True

    def stop(self) -> None:
        self.bus.flush()
        self._edges.end()
        self._quota.end()
        self.presence.end()
        self._forget_timer()
        self._leases.end()
        self.link.stop()

    def _down(self, reason: str) -> None:
        self._return += 1
        self._readiness.withdraw("redis", f"Redis is away: {reason}")
        self.bus.is_safe = False
        self._interests.lost()
        self.bus.lost()
        self.remarks.parted()
        self.presence.lost()

    def _up(self) -> None:
        self._return += 1
        self._spawn(self._come_back(self._return))

    async def _come_back(self, number: int) -> None:
        """Tell Redis everything anew; ready when that is done."""
        try:
            await self.link.subscribe(self._names.all)
            await self._leases.enter()
            keys = await self._interests.restore()
            await self.census.restore(keys)
            await self.presence.restore()
            await self.remarks.restore(keys)
            await self._quota.restore()
            await self._leases.sweep_former()
        except Unreachable:
            return  # and again when the link is up
        if number == self._return:
            self.tally.reconciled += 1
            self._later(0.0 if self.bus.is_safe else self._settling, partial(self._settle, number))

    def _settle(self, number: int) -> None:
        """The others are back too: what is published now reaches everybody."""
        if number == self._return:
            self._settling = SETTLING
            self.bus.is_safe = True
            self._readiness.restore("redis")
            self._later(PATIENCE, lambda: self._spawn(self._compare(number)))

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._forget_timer()
        self._timer = self._reactor.callLater(seconds, what)

    def _forget_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    async def _compare(self, number: int) -> None:
        """All nodes had time to come back: who is not in Redis now is gone."""
        if number == self._return:
            with suppress(Unreachable):
                await self.presence.compare_all()
            self.remarks.forget_silent()

    def _hear(self, name: bytes, message: bytes) -> None:
        if name == self._names.all:
            letter = envelope.decode(message)
            if isinstance(letter, envelope.Connections):
                self._quota.hear(letter)
            elif letter is None:
                self.tally.envelopes_not_understood += 1
        else:
            self.bus.hear(name, message)


def _colleagues(hub: Hub, key: Key) -> Colleagues | None:
    channel = hub.channel(*key)
    return channel.rules.colleagues if channel is not None and channel.rules is not None else None
