"""A Redis Cluster: a ``Link`` to each of its masters, and every key by way of its slot's.

It is up when every slot has a master that is up, and down as a whole else: half a relay would
serve half its channels. Sharded pub/sub (Redis 7) carries a publication to its slot's shard alone;
without it all goes by one node, and the cluster carries it everywhere.

When slots move (MOVED, a subscription that Redis ends), the map is asked for anew and everything
is told again, as after an absence; until the other nodes have had time for that as well, nothing
is published surely to those slots. While they are on their way (ASK, TRYAGAIN), each command is
tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from txredisapi import ResponseError

from .address import Address
from .asking import Asking
from .link import Link
from .reasons import unreachable
from .script import Script
from .slots import Host, SlotMap, slot_of
from .wire import Unreachable

_log = Logger()

#: Seconds between two questions for the map while not every slot is served.
PAUSE = 0.5
#: Seconds between the attempts of a command whose slot is on its way, and how many there are.
MOVING_PAUSE = 0.05
MOST_ATTEMPTS = 60
#: Times that the map is asked for after Redis has ended a subscription, before it is believed
#: that no slot has moved: a node of the cluster may not know yet.
MOST_LOOKS = 3


class Shards:
    """Used as a ``Link``."""

    def __init__(
        self,
        reactor: Any,
        address: Address,
        endpoint: Callable[[str, int], IStreamClientEndpoint],
        *,
        scripts: Sequence[Script],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        on_message: Callable[[bytes, bytes], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._endpoint = endpoint
        self._scripts = scripts
        self._on_up = on_up
        self._on_down = on_down
        self._on_message = on_message
        self._spawn = spawn
        self.is_up = False
        self.reason = "not connected yet"
        self._links: dict[Host, Link] = {}
        self._map = SlotMap(reactor.seconds)
        #: How often the map is still to be looked at for what has ended a subscription.
        self._looks = 0
        self._is_sharded = True
        self._is_stopped = False
        self._is_finding = False
        self._asking = Asking(reactor, address, endpoint)
        self._timer: IDelayedCall | None = None

    @property
    def publishing(self) -> str:
        """The command that publishes."""
        return "SPUBLISH" if self._is_sharded else "PUBLISH"

    def start(self) -> None:
        self._find_soon(0)

    def stop(self) -> None:
        self._is_stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._asking.stop()
        for link in self._links.values():
            link.stop()

    # -- the map ---------------------------------------------------------------------------

    def _find_soon(self, seconds: float = PAUSE) -> None:
        if not self._is_stopped and (self._timer is None or not self._timer.active()):
            self._timer = self._reactor.callLater(seconds, lambda: self._spawn(self._find()))

    async def _find(self) -> None:
        """Ask one after the other for the map, until every slot has a master that is up."""
        if self._is_finding:
            return
        self._is_finding = True
        reasons = []
        try:
            for host in dict.fromkeys([*self._links, *self._address.hosts]):
                try:
                    self._take(*await self._asking.ask(host))
                    break
                except Exception as error:
                    if self._is_stopped:
                        return
                    reasons.append(f"{host[0]}:{host[1]}: {error}")
            else:
                self._lose("no node of the cluster answers: " + "; ".join(reasons))
        finally:
            self._is_finding = False
        if not self.is_up:
            self._find_soon()

    def _take(self, found: list[Host | None], is_sharded: bool) -> None:
        if self._is_stopped:
            return
        has_moved = self._map.take(found)
        self._is_sharded = is_sharded
        masters = self._map.masters
        if self.is_up and not masters <= self._links.keys():
            self._lose("another node of the cluster has become a master")
        for host in [host for host in self._links if host not in masters]:
            self._links.pop(host).stop()
        for host in masters:
            if host not in self._links:
                self._links[host] = self._link(host)
                self._links[host].start()
        if not self._map.is_whole:
            self._lose("not every slot of the cluster is served")
        elif self.is_up and all(link.is_up for link in self._links.values()):
            self._look(has_moved=has_moved)
        else:
            self._judge()

    def _look(self, *, has_moved: bool) -> None:
        """Tell everything anew when slots have moved; look again when they must have."""
        was_torn, self._looks = self._looks > 0, max(0, self._looks - 1)
        if has_moved or (was_torn and not self._looks):
            self._looks = 0
            _log.warn("slots of the cluster {a} have moved", a=self._address)
            self._on_up()
        elif was_torn:
            self._find_soon()

    def _link(self, host: Host) -> Link:
        return Link(
            self._reactor,
            self._address.at(*host),
            lambda: self._endpoint(*host),
            scripts=self._scripts,
            on_up=self._judge,
            on_down=partial(self._one_is_down, host),
            on_message=self._on_message,
            on_torn=self._torn,
            spawn=self._spawn,
        )

    def _judge(self) -> None:
        is_whole = self._map.is_whole and all(link.is_up for link in self._links.values())
        if is_whole and not self.is_up:
            self.is_up, self._looks = True, 0
            self._on_up()

    def _one_is_down(self, host: Host, reason: str) -> None:
        if host in self._links and not self._is_stopped:
            self._lose(f"{host[0]}:{host[1]}: {reason}")

    def _lose(self, reason: str) -> None:
        was_up, self.is_up, self.reason = self.is_up, False, reason
        if was_up or not self._links:
            self._on_down(reason)
        self._find_soon()

    def _moved(self) -> None:
        self._find_soon(0)

    def _torn(self) -> None:
        self._looks = MOST_LOOKS
        self._find_soon(0)

    # -- using -----------------------------------------------------------------------------

    def _owner(self, key: str | bytes) -> Link:
        """Raises ``Unreachable``."""
        host = self._map.owner(key)
        link = self._links.get(host) if host is not None else None
        if not self.is_up or link is None:
            raise Unreachable(self.reason)
        return link

    def call(self, *command: str | bytes | int | float) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._call(command))

    async def _call(self, command: tuple[Any, ...]) -> Any:
        key = command[3] if command[0] == "EVALSHA" else command[1]
        for _ in range(MOST_ATTEMPTS):
            link = self._owner(key)
            try:
                try:
                    return await link.call(*command)
                except ResponseError as error:
                    code, _, rest = str(error).partition(" ")
                    if code != "ASK":
                        raise
                return await self._ask_there(rest.split(" ")[1], command)
            except ResponseError as error:
                code = str(error).partition(" ")[0]
                if code == "MOVED":
                    self._moved()
                elif code != "TRYAGAIN":
                    raise
            await deferLater(self._reactor, MOVING_PAUSE)
        raise Unreachable("a slot of the cluster does not come to rest")

    async def _ask_there(self, target: str, command: tuple[Any, ...]) -> Any:
        host, _, port = target.rpartition(":")
        link = self._links.get((host, int(port)))
        if link is None:
            raise Unreachable(f"a slot goes to {target}, which is not known yet")
        link.tell("ASKING")
        return await link.call(*command)

    def run(
        self, script: Script, key: str | bytes, *arguments: str | bytes | int | float
    ) -> Deferred[Any]:
        key = key.encode() if isinstance(key, str) else key
        keys = (key, key + script.suffix) if script.suffix else (key,)
        command = ("EVALSHA", script.sha, len(keys), *keys, *arguments)
        return self.call(*command).addErrback(unreachable)

    def tell(self, *command: str | bytes | int | float) -> None:
        if self.is_up:
            self.call(*command).addErrback(_ignore_failure)

    async def all_or_nothing(self, commands: Sequence[tuple[str | bytes | int, ...]]) -> None:
        """As one for each channel; for several channels Redis Cluster knows no such thing."""
        channels: dict[int, list[tuple[Any, ...]]] = {}
        for command in commands:
            key = command[1]
            assert isinstance(key, str | bytes)
            if not self._map.is_settled(key):
                raise Unreachable("a slot of the cluster has moved, and other nodes follow")
            slot = slot_of(key.encode() if isinstance(key, str) else key)
            channels.setdefault(slot, []).append(command)
        waiting = [Deferred.fromCoroutine(self._as_one(each)) for each in channels.values()]
        failures = []
        for each in waiting:
            try:
                await each
            except Unreachable as away:
                failures.append(away)
        if failures:
            self._moved()  # perhaps that is why
            raise failures[0]

    async def _as_one(self, commands: list[tuple[Any, ...]]) -> None:
        """Not tried again where the slot has gone: who listens may not be there yet."""
        await self._owner(commands[0][1]).all_or_nothing(commands)

    def _carrier(self, channel: bytes) -> Link:
        """By whom a channel is published and listened to."""
        if self._is_sharded or not self.is_up:
            return self._owner(channel)
        return self._links[min(self._links)]

    def publish(self, channel: bytes, message: bytes) -> bool:
        try:
            link = self._carrier(channel)
        except Unreachable:
            return False
        if link.is_full:
            return False
        if self._is_sharded:
            self.call("SPUBLISH", channel, message).addErrback(_ignore_failure)
            return True
        return link.publish(channel, message)

    def subscribe(self, channel: bytes) -> Deferred[Any]:
        try:
            return self._carrier(channel).subscribe(channel, is_sharded=self._is_sharded)
        except Unreachable as away:
            failed: Deferred[Any] = Deferred()
            failed.errback(away)
            return failed

    def unsubscribe(self, channel: bytes) -> None:
        if self.is_up:
            self._carrier(channel).unsubscribe(channel, is_sharded=self._is_sharded)


def _ignore_failure(failure: Any) -> None:
    """Nobody waits for it; that Redis is away is told by the link, and all is told anew."""
    failure.trap(Unreachable, ResponseError)
