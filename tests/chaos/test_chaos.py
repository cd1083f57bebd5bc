"""Nodes, Redis and the links between them are killed, paused, cut and restarted at random while
backends publish and clients come and go.

The seed decides everything but the time. ``WSRELAY_TEST_CHAOS`` are the disturbances of a run
(3), ``WSRELAY_TEST_CHAOS_SEED`` its seed (1), ``WSRELAY_TEST_CHAOS_TOPOLOGY`` the only kind of
Redis that is tried: redis, sentinel or cluster.
"""

from __future__ import annotations

import os
import signal
import subprocess
from random import Random
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.trial.unittest import TestCase

from tests.chaos.accounts import Accounts, Disturbance, Published
from tests.chaos.guests import HALL, ROOM, Guest
from tests.chaos.namespaces import Network, impossible
from tests.chaos.topologies import (
    TOPOLOGIES,
    WHOLE,
    Breakage,
    OnCluster,
    OnOne,
    OnSentinel,
    Topology,
    in_thread,
    seconds,
)
from tests.loopback import Http, reactor
from tests.servers import RedisServer, until
from tests.signing import APP, event, signed_target
from tests.stories.deployments import DeployedTestCase
from tests.stories.processes import Process

ROUNDS = int(os.environ.get("WSRELAY_TEST_CHAOS", "3"))
SEED = int(os.environ.get("WSRELAY_TEST_CHAOS_SEED", "1"))
ONLY = os.environ.get("WSRELAY_TEST_CHAOS_TOPOLOGY", "")
GUESTS = 9
#: Seconds after which a ghost is one, and in which everybody has to agree again.
GHOST = 5.0
CONVERGENCE = 10.0


class Chaos:
    """Mixed into a test case for each topology."""

    timeout = 120 + 100 * ROUNDS
    deployment: Topology

    async def setUp(self) -> None:
        await super().setUp()  # type: ignore[misc]
        self.chance = Random(SEED)
        self.accounts = Accounts()
        self.nodes: dict[int, Process] = dict(enumerate(self.deployment.processes))
        #: Where those nodes are that take clients and requests.
        self.running = {n: self.deployment.place(n, node) for n, node in self.nodes.items()}
        self.is_over = False

    async def test_nothing_acknowledged_is_lost_and_nobody_haunts(self) -> None:
        guests = [
            Guest(f"guest{number}", Random(SEED * 100 + number), self.running, self.accounts)
            for number in range(GUESTS)
        ]
        lives = [guest.start() for guest in guests]
        publishing = Deferred.fromCoroutine(self.keep_publishing())
        try:
            await self.agreed(guests, CONVERGENCE)
            for disturb in self.order():
                for guest in self.chance.sample(guests, 2):
                    guest.go()
                await seconds(0.5)
                await self.disturbed(disturb, guests)
                await in_thread(until, self.deployment.is_whole, WHOLE)
                await seconds(1)
        finally:
            self.is_over = True
            for guest in guests:
                guest.is_wanted = False
            while not all(life.called for life in lives):
                for guest in guests:
                    guest.go()
                await seconds(0.1)
            await publishing
            what = f"{type(self.deployment).__name__}, seed {SEED}"
            print(f"\nchaos {what}: {self.accounts.figures()}")  # noqa: T201
        assert not self.accounts.lost(), self.accounts.story_of_losses()
        assert self.accounts.doubled() == 0
        assert self.accounts.ghosts == 0
        assert len(self.accounts.due()) > 100

    def order(self) -> list[Breakage]:
        """Each kind as often as the others."""
        kinds = [*self.deployment.breakages(), self.kill_a_node, self.stop_a_node]
        if self.deployment.network is not None:
            kinds.insert(1, self.cut_a_link)
        order = [kinds[number % len(kinds)] for number in range(ROUNDS)]
        self.chance.shuffle(order)
        return order

    async def disturbed(self, disturb: Breakage, guests: list[Guest]) -> None:
        """Break something, heal it, and wait until everybody is well."""
        what = disturb.__name__
        disturbance = Disturbance(
            what,
            None,
            reactor.seconds() - 0.5,
            is_excuse=what not in self.deployment.inexcusable,
        )
        self.accounts.disturbances.append(disturbance)
        disturbance.node = await disturb(self.chance)
        disturbance.end = reactor.seconds()
        self.accounts.converged.append(await self.agreed(guests, CONVERGENCE))
        disturbance.well = reactor.seconds()

    # -- traffic -----------------------------------------------------------------------------

    async def keep_publishing(self) -> None:
        chance = Random(SEED)
        number = 0
        while not self.is_over:
            number += 1
            node = chance.choice(sorted(self.running))
            begin = reactor.seconds()
            try:
                status = await self.send(self.running[node], number)
            except Exception:
                status = 0
            if status == 200:
                self.accounts.published.append(Published(number, node, begin, reactor.seconds()))
            else:
                self.accounts.refused += 1
            await seconds(0.03)

    async def send(self, place: tuple[str, int], number: int) -> int:
        body = event(ROOM, str(number))
        target = signed_target("POST", f"/apps/{APP.id}/events", body)
        status: int = (await self.asked(place, "POST", target, body)).status
        return status

    async def asked(
        self, place: tuple[str, int], method: str, target: str, body: bytes = b""
    ) -> Any:
        endpoint = HostnameEndpoint(reactor, *place, timeout=2)
        connection = await connectProtocol(endpoint, Http())
        watchdog = reactor.callLater(6, connection.transport.abortConnection)
        try:
            connection.send(_request(method, target, body))
            return await connection.response(to=method)
        finally:
            if watchdog.active():
                watchdog.cancel()
            connection.transport.abortConnection()

    # -- judgement ---------------------------------------------------------------------------

    async def agreed(self, guests: list[Guest], within: float) -> float:
        """Seconds until all nodes are ready, and all clients and they have the right picture."""
        begin = reactor.seconds()
        everybody = {guest.name for guest in guests}
        while True:
            pictures = [guest.picture for guest in guests]
            if all(picture == everybody for picture in pictures):
                places = list(self.running.values())
                seen = [await self.users(place) for place in places]
                ready = [await self.is_ready(place) for place in places]
                if all(ready) and all(users == everybody for users in seen):
                    return float(reactor.seconds() - begin)
            assert reactor.seconds() - begin < within, (
                f"no agreement within {within} s: {pictures}\n"
                + "\n".join(node.text[-1500:] for node in self.nodes.values())
            )
            await seconds(0.05)

    async def is_ready(self, place: tuple[str, int]) -> bool:
        try:
            return bool((await self.asked(place, "GET", "/ready")).status == 200)
        except Exception:
            return False

    async def users(self, place: tuple[str, int]) -> set[str] | None:
        target = signed_target("GET", f"/apps/{APP.id}/channels/{HALL}/users")
        try:
            answer = (await self.asked(place, "GET", target)).json
        except Exception:
            return None
        return {user["id"] for user in answer["users"]}

    # -- disturbances: each returns the node that it was about -------------------------------

    async def kill_a_node(self, chance: Random) -> int:
        number = self.one_of_them()
        del self.running[number]
        self.nodes[number].end(signal.SIGKILL)
        await self.haunted()
        self.nodes[number] = process = self.deployment.start_node(number)
        await self.said(process, "Listening on")
        await self.said(process, "is reached")
        self.running[number] = self.deployment.place(number, process)
        return number

    async def stop_a_node(self, chance: Random) -> int:
        """Long enough to be taken for dead."""
        number = self.one_of_them()
        place = self.running.pop(number)
        self.nodes[number].send(signal.SIGSTOP)
        await seconds(GHOST + chance.random())
        self.nodes[number].send(signal.SIGCONT)
        self.running[number] = place
        return number

    async def cut_a_link(self, chance: Random) -> int:
        """Between a node and Redis; its clients stay. Now and then too short to be noticed."""
        assert self.deployment.network is not None
        number = self.one_of_them()
        self.deployment.network.cut(number)
        await seconds(1 + 8 * chance.random())
        self.deployment.network.heal(number)
        return number

    def one_of_them(self) -> int:
        number = self.chance.choice(sorted(self.running))
        self.accounts.disturbances[-1].node = number
        return number

    async def haunted(self) -> None:
        """Count whom the others still see when everybody has had time to be gone or back."""
        await seconds(GHOST)
        for place in self.running.values():
            users = await self.users(place)
            assert users is not None
            self.accounts.ghosts += len(users) - GUESTS

    async def said(self, process: Process, words: str) -> None:
        while not any(words in line for line in process.lines):
            assert process.is_running, "\n".join(process.lines)
            await seconds(0.05)


def _request(method: str, target: str, body: bytes) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: relay\r\n"
    if body:
        head += f"Content-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def _left_out(topology: type[Topology]) -> str | None:
    """A reason to skip a topology's run, if there is one."""
    is_wanted = not ONLY or TOPOLOGIES[ONLY] is topology
    return None if is_wanted else f"WSRELAY_TEST_CHAOS_TOPOLOGY is {ONLY}"


class OneRedisTest(Chaos, DeployedTestCase):
    deployed = OnOne
    skip = _left_out(OnOne)


class SentinelTest(Chaos, DeployedTestCase):
    deployed = OnSentinel
    skip = _left_out(OnSentinel)


class ClusterTest(Chaos, DeployedTestCase):
    deployed = OnCluster
    skip = _left_out(OnCluster)


class LinksTest(TestCase):
    """That links can be cut here; without it the runs above do without."""

    skip = impossible() or None

    def test_a_cut_link_is_silent_and_heals(self) -> None:
        network = Network(1)
        self.addCleanup(network.remove)
        server = RedisServer(host=network.redis)
        self.addCleanup(server.remove)
        server.start()
        ask = network.command(0, "redis-cli", "-h", network.redis, "-p", str(server.port), "PING")
        assert subprocess.run(ask, capture_output=True, check=True).stdout == b"PONG\n"
        network.cut(0)
        with pytest.raises(subprocess.TimeoutExpired):  # neither refused nor reset
            subprocess.run(ask, capture_output=True, timeout=1)
        network.heal(0)
        assert subprocess.run(ask, capture_output=True, check=True).stdout == b"PONG\n"
