"""Nodes and Redis are killed, paused and restarted at random while backends publish.

The seed decides everything but the time. ``WSRELAY_TEST_CHAOS`` are the disturbances of a run
(3), ``WSRELAY_TEST_CHAOS_SEED`` its seed (1).
"""

from __future__ import annotations

import os
import signal
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.chaos.accounts import Accounts, Disturbance, Published
from tests.chaos.guests import HALL, ROOM, Guest
from tests.loopback import reactor
from tests.signing import APP, event, signed_target
from tests.stories.deployments import DeployedTestCase, OnRedis
from tests.stories.processes import Process

ROUNDS = int(os.environ.get("WSRELAY_TEST_CHAOS", "3"))
SEED = int(os.environ.get("WSRELAY_TEST_CHAOS_SEED", "1"))
GUESTS = 9
#: Seconds after which a ghost is one, and in which everybody has to agree again.
GHOST = 5.0
CONVERGENCE = 10.0


class ThreeNodes(OnRedis):
    nodes = 3


class ChaosTest(DeployedTestCase):
    timeout = 60 + 40 * ROUNDS
    deployed = ThreeNodes
    deployment: ThreeNodes

    async def setUp(self) -> None:
        await super().setUp()
        self.chance = Random(SEED)
        self.accounts = Accounts()
        self.running: dict[int, int] = dict(enumerate(self.deployment.ports))
        self.nodes: dict[int, Process] = dict(enumerate(self.deployment.processes))
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
            kinds = [self.kill_a_node, self.stop_a_node, self.restart_redis, self.pause_redis]
            order = [kinds[number % len(kinds)] for number in range(ROUNDS)]
            self.chance.shuffle(order)
            for disturb in order:
                for guest in self.chance.sample(guests, 2):
                    guest.go()
                await deferLater(reactor, 0.5)
                disturbance = await disturb()
                disturbance.end = reactor.seconds()
                took = await self.agreed(guests, CONVERGENCE)
                disturbance.well = reactor.seconds()
                self.accounts.disturbances.append(disturbance)
                self.accounts.converged.append(took)
                await deferLater(reactor, 1)
        finally:
            self.is_over = True
            for guest in guests:
                guest.is_wanted = False
            while not all(life.called for life in lives):
                for guest in guests:
                    guest.go()
                await deferLater(reactor, 0.1)
            await publishing
            print(f"\nchaos, seed {SEED}, {ROUNDS} rounds: {self.accounts.figures()}")  # noqa: T201
        assert self.accounts.lost() == []
        assert self.accounts.doubled() == 0
        assert self.accounts.ghosts == 0
        assert len(self.accounts.due()) > 100

    # -- traffic -----------------------------------------------------------------------------

    async def keep_publishing(self) -> None:
        number = 0
        while not self.is_over:
            number += 1
            node = self.chance.choice(sorted(self.running))
            begin = reactor.seconds()
            try:
                status = await self.send(self.running[node], number)
            except Exception:
                status = 0
            if status == 200:
                self.accounts.published.append(Published(number, node, begin, reactor.seconds()))
            else:
                self.accounts.refused += 1
            await deferLater(reactor, 0.03)

    async def send(self, port: int, number: int) -> int:
        body = event(ROOM, str(number))
        target = signed_target("POST", f"/apps/{APP.id}/events", body)
        return (await self.asked(port, "POST", target, body)).status

    async def asked(self, port: int, method: str, target: str, body: bytes = b"") -> Any:
        self.port = port
        connection = await self.http()
        watchdog = reactor.callLater(6, connection.transport.abortConnection)
        try:
            connection.send(_request(method, target, body))
            return await connection.response(to=method)
        finally:
            if watchdog.active():
                watchdog.cancel()
            connection.transport.abortConnection()
            self._clients.remove(connection)

    # -- judgement ---------------------------------------------------------------------------

    async def agreed(self, guests: list[Guest], within: float) -> float:
        """Seconds until all clients and all nodes have the one right picture."""
        begin = reactor.seconds()
        everybody = {guest.name for guest in guests}
        while True:
            pictures = [guest.picture for guest in guests]
            if all(picture == everybody for picture in pictures):
                seen = [await self.users(port) for port in list(self.running.values())]
                if all(users == everybody for users in seen):
                    return float(reactor.seconds() - begin)
            assert reactor.seconds() - begin < within, (
                f"no agreement within {within} s: {pictures}\n"
                + "\n".join(node.text[-1500:] for node in self.nodes.values())
            )
            await deferLater(reactor, 0.05)

    async def users(self, port: int) -> set[str] | None:
        target = signed_target("GET", f"/apps/{APP.id}/channels/{HALL}/users")
        try:
            answer = (await self.asked(port, "GET", target)).json
        except Exception:
            return None
        return {user["id"] for user in answer["users"]}

    # -- disturbances ------------------------------------------------------------------------

    async def kill_a_node(self) -> Disturbance:
        number = self.chance.choice(sorted(self.running))
        disturbance = Disturbance("kill", number, reactor.seconds())
        del self.running[number]
        self.nodes[number].end(signal.SIGKILL)
        await deferLater(reactor, GHOST)
        for port in self.running.values():
            users = await self.users(port)
            assert users is not None
            self.accounts.ghosts += len(users) - GUESTS
        self.nodes[number] = process = self.deployment.start_node(number)
        await self.said(process, "Listening on")
        await self.said(process, "is reached")
        self.running[number] = process.port
        return disturbance

    async def stop_a_node(self) -> Disturbance:
        """Long enough to be taken for dead."""
        number = self.chance.choice(sorted(self.running))
        disturbance = Disturbance("SIGSTOP", number, reactor.seconds())
        port = self.running.pop(number)
        self.nodes[number]._popen.send_signal(signal.SIGSTOP)
        await deferLater(reactor, GHOST + self.chance.random())
        self.nodes[number]._popen.send_signal(signal.SIGCONT)
        self.running[number] = port
        return disturbance

    async def restart_redis(self) -> Disturbance:
        """It comes back empty."""
        disturbance = Disturbance("Redis killed", None, reactor.seconds() - 0.5)
        self.deployment.redis.kill()
        await deferLater(reactor, 1 + 2 * self.chance.random())
        self.deployment.redis.start()
        return disturbance

    async def pause_redis(self) -> Disturbance:
        disturbance = Disturbance("Redis paused", None, reactor.seconds() - 0.5)
        self.deployment.redis.signal(signal.SIGSTOP)
        await deferLater(reactor, 1 + 5 * self.chance.random())
        self.deployment.redis.signal(signal.SIGCONT)
        return disturbance

    async def said(self, process: Process, words: str) -> None:
        while not any(words in line for line in process.lines):
            await deferLater(reactor, 0.05)


def _request(method: str, target: str, body: bytes) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: relay\r\n"
    if body:
        head += f"Content-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body
