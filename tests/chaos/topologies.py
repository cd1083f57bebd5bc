"""Three nodes on each kind of Redis, and the ways in which that Redis breaks.

Where network namespaces can be made, each node is in one of its own, so that its link to Redis can
be cut. A breakage returns when it is healed, as far as Redis' own tools can tell.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.chaos.guests import HALL, ROOM
from tests.chaos.namespaces import Network, impossible
from tests.loopback import reactor
from tests.redis_cluster import RedisCluster
from tests.servers import LOOPBACK, RedisServer, Sentinels, until
from tests.signing import APP
from tests.stories.deployments import Deployment, relay_command
from tests.stories.processes import Process

#: Seconds in which sentinels (down-after-milliseconds 1000, failover-timeout 5000) and clusters
#: (cluster-node-timeout 1500) have to put another master in place.
FAILOVER = 20.0
#: Seconds until all replicas are in step again. Sentinels wait 8 before they set a master back.
WHOLE = 60.0

#: Returns the number of the node that it was about; None for Redis.
Breakage = Callable[[Random], Coroutine[Any, Any, int | None]]


class Redis(Protocol):
    """What is broken."""

    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def remove(self) -> None: ...


class Topology(Deployment):
    """Nodes are known by their numbers, Redis by ``url``."""

    nodes = 3
    backing: Redis
    #: How often a node says that it has reached a Redis before it is ready.
    links = 1

    def __init__(self) -> None:
        super().__init__()
        self.network = None if impossible() else Network(self.nodes)
        self.host = self.network.redis if self.network else LOOPBACK

    def start_backing(self) -> None:
        self.backing.start()

    def options(self) -> tuple[str, ...]:
        return ("--redis", self.backing.url, "--host", "0.0.0.0")

    def start_node(self, number: int) -> Process:
        command = relay_command(f"node{number}", *self.options())
        if self.network is not None:
            command = self.network.command(number, *command)
        process = Process(command, self.directory, {"WSRELAY_METRICS_PORT": "0"})
        self.processes.append(process)
        return process

    def is_ready(self) -> bool:
        return all(each.text.count("is reached") >= self.links for each in self.processes)

    def place(self, number: int, process: Process) -> tuple[str, int]:
        """Where clients find a node."""
        return (self.network.host(number) if self.network else LOOPBACK), process.port

    def stop(self) -> None:
        super().stop()
        self.backing.remove()
        if self.network is not None:
            self.network.remove()

    #: Breakages during which nothing is excused: what is acknowledged has to arrive.
    inexcusable: tuple[str, ...] = ()

    def breakages(self) -> list[Breakage]:
        raise NotImplementedError

    def is_whole(self) -> bool:
        """It could stand the next breakage."""
        return True


class OnOne(Topology):
    def __init__(self) -> None:
        super().__init__()
        self.backing: RedisServer = RedisServer(host=self.host)

    def breakages(self) -> list[Breakage]:
        return [self.restart_redis, self.pause_redis]

    async def restart_redis(self, chance: Random) -> None:
        """It comes back empty."""
        self.backing.kill()
        await seconds(1 + 2 * chance.random())
        await in_thread(self.backing.start)

    async def pause_redis(self, chance: Random) -> None:
        self.backing.signal(signal.SIGSTOP)
        await seconds(1 + 5 * chance.random())
        self.backing.signal(signal.SIGCONT)


class OnSentinel(Topology):
    def __init__(self) -> None:
        super().__init__()
        self.backing: Sentinels = Sentinels(self.host)

    def breakages(self) -> list[Breakage]:
        return [self.kill_the_master, self.pause_the_master]

    async def kill_the_master(self, chance: Random) -> None:
        """The replica takes over; the old master comes back as its replica."""
        fallen = await self._master()
        fallen.kill()
        await in_thread(until, lambda: self.backing.agreed_master(), FAILOVER)
        risen = await self._master()
        fallen.options["replicaof"] = f"{risen.host} {risen.port}"
        await in_thread(fallen.start)

    async def pause_the_master(self, chance: Random) -> None:
        """Now and then so long that the replica takes over."""
        master = await self._master()
        master.signal(signal.SIGSTOP)
        await seconds(1 + 5 * chance.random())
        master.signal(signal.SIGCONT)
        await in_thread(until, lambda: self.backing.agreed_master(), FAILOVER)

    async def _master(self) -> RedisServer:
        master: RedisServer | None = await in_thread(self.backing.agreed_master)
        assert master is not None
        return master

    def is_whole(self) -> bool:
        return self.backing.are_whole()


class OnCluster(Topology):
    links = 3
    inexcusable = ("move_a_slot",)

    def __init__(self) -> None:
        super().__init__()
        self.backing: RedisCluster = RedisCluster(self.host)

    def breakages(self) -> list[Breakage]:
        return [self.move_a_slot, self.kill_a_master, self.pause_a_master]

    async def kill_a_master(self, chance: Random) -> None:
        """Its replica takes over, and it comes back as one."""
        victim = await self._master(chance)
        victim.kill()
        await in_thread(until, self.backing.serves, FAILOVER)
        await in_thread(victim.start)

    async def pause_a_master(self, chance: Random) -> None:
        victim = await self._master(chance)
        victim.signal(signal.SIGSTOP)
        await seconds(1 + 5 * chance.random())
        victim.signal(signal.SIGCONT)
        await in_thread(until, self.backing.serves, FAILOVER)

    async def move_a_slot(self, chance: Random) -> None:
        await in_thread(self.backing.move, self._key(chance), chance.random())

    async def _master(self, chance: Random) -> RedisServer:
        master: RedisServer = await in_thread(self.backing.master_of, self._key(chance))
        return master

    def _key(self, chance: Random) -> str:
        """Of a channel in use."""
        return f"wsrelay:{{{chance.choice([ROOM, HALL])}:{APP.id}}}"

    def is_whole(self) -> bool:
        return self.backing.is_whole()


TOPOLOGIES: dict[str, type[Topology]] = {
    "redis": OnOne,
    "sentinel": OnSentinel,
    "cluster": OnCluster,
}


def seconds(duration: float) -> Deferred[None]:
    return deferLater(reactor, duration)


def in_thread(what: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """What blocks, while clients and publishers go on."""
    return deferToThread(what, *arguments)
