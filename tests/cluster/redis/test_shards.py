"""wsrelay.cluster.redis.shards, on a real cluster."""

from __future__ import annotations

import json
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from tests.cluster.redis.nodes import NodesTestCase
from tests.redis_cluster import RedisCluster
from tests.signing import APP, event
from wsrelay.cluster.redis.address import parse
from wsrelay.cluster.redis.asking import Asking
from wsrelay.cluster.redis.shards import Shards
from wsrelay.log import spawn


class _Silent:
    """An endpoint that nobody answers at."""

    def __init__(self) -> None:
        self.attempts: list[Deferred[Any]] = []

    def connect(self, factory: object) -> Deferred[Any]:
        self.attempts.append(Deferred())
        return self.attempts[-1]


class AskingTest(SynchronousTestCase):
    def test_whoever_stops_while_connecting_gives_up_and_asks_nobody_else(self) -> None:
        clock, endpoint, told = Clock(), _Silent(), list[object]()
        shards = Shards(
            clock,
            parse("redis+cluster://127.0.0.1:1,127.0.0.1:2"),
            lambda host, port: endpoint,  # type: ignore[arg-type, return-value]
            scripts=(),
            on_up=lambda: told.append("up"),
            on_down=told.append,
            on_message=lambda name, message: told.append(message),
            spawn=spawn,
        )
        shards.start()
        clock.advance(0)
        [attempt] = endpoint.attempts
        shards.stop()
        assert attempt.called
        assert endpoint.attempts == [attempt]
        assert clock.getDelayedCalls() == []
        assert told == []


class ShardsTest(NodesTestCase):
    timeout = 60
    cluster: RedisCluster

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = RedisCluster()
        try:
            cls.cluster.start()
        except BaseException:
            cls.cluster.remove()
            raise
        cls.redis = cls.cluster.servers[0]
        cls.url = cls.cluster.url

    @classmethod
    def tearDownClass(cls) -> None:
        cls.cluster.remove()

    async def setUp(self) -> None:
        ask = Asking.ask

        async def older(asking: Asking, host: tuple[str, int]) -> Any:
            found, is_sharded = await ask(asking, host)
            assert is_sharded
            return found, "sharded" in self.id()

        self.patch(Asking, "ask", older)
        await super().setUp()

    async def test_without_ssubscribe_publications_are_carried_by_the_whole_cluster(self) -> None:
        other = await self.node()
        for number in range(8):  # in different slots
            name = f"presence-cache-{number}"
            ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
            await ada.joined(name, '{"user_id":"ada"}')
            await ada.expect("pusher:cache_miss")
            await bob.joined(name, '{"user_id":"bob"}')
            await bob.expect("pusher:cache_miss")
            added = await ada.expect("pusher_internal:member_added")
            assert json.loads(added["data"])["user_id"] == "bob"
            bob.whisper(name, "hello")
            assert (await ada.expect("client-told"))["data"] == "hello"
            assert (await self.publish(event(name, "news"))).json == {}
            for visitor in (ada, bob):
                assert (await visitor.expect("told"))["data"] == "news"
        assert len(await other.relay.occupied_channels(APP.id, "presence-cache-")) == 8
        assert self.relay.room.link.publishing == "PUBLISH"

    async def test_sharded_and_while_a_slot_is_on_its_way(self) -> None:
        other = await self.node()
        name = "presence-moving"
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        await ada.joined(name, '{"user_id":"ada"}')
        await bob.joined(name, '{"user_id":"bob"}')
        await ada.expect("pusher_internal:member_added")
        key = f"wsrelay:{{{name}:{APP.id}}}"
        source = self.cluster.master_of(key)
        target = next(
            server
            for server in self.cluster.servers
            if server is not source and server.ask("ROLE").startswith("master")
        )
        slot = source.ask("CLUSTER", "KEYSLOT", key)
        ids = [server.ask("CLUSTER", "MYID") for server in (source, target)]
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        # What is not there is asked for at the target (ASK); halves have to wait (TRYAGAIN).
        assert (await self.relay.room.link.call("GET", f"{key}x")) is None
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, "100").split()
        arguments = ("MIGRATE", "127.0.0.1", str(target.port), "", "0", "5000", "KEYS")
        source.ask(*arguments, keys[0])
        count = Deferred.fromCoroutine(other.relay.presence.user_count(APP.id, name))
        source.ask(*arguments, *keys[1:])
        for server in self.cluster.servers:
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        assert await count == 2
        while (await self.publish(event(name, "moved"))).status != 200:
            await self.a_turn()
        for node in (self.relay, other):
            await self.until(lambda node=node: node.room.tally.reconciled > 1)
        heard: list[str] = []
        while heard[-1:] != ["last"]:
            bob.whisper(name, "last")
            await self.a_turn()
            heard += [each["data"] for each in ada.take() if each["event"] == "client-told"]
        assert await other.relay.presence.user_count(APP.id, name) == 2
        assert (await self.publish(event([f"a{n}" for n in range(9)], "many"))).json == {}

    async def test_sharded_and_what_is_acknowledged_arrives_while_a_slot_moves(self) -> None:
        """The publisher's node has nobody in the channel, and so is not told that it moves."""
        other = await self.node()
        ada = await self.visitor_of(other)
        await ada.joined("private-moves")
        key = f"wsrelay:{{private-moves:{APP.id}}}"
        moving = deferToThread(self.cluster.move, key, 0.2)
        told: list[str] = []
        while len(told) < 5 or not moving.called or other.room.tally.reconciled < 2:
            text = str(len(told))
            if (await self.publish(event("private-moves", text))).status == 200:
                told.append(text)
        await moving
        assert [(await ada.expect("told"))["data"] for _ in told] == told

    async def test_sharded_and_half_a_slot_is_not_written_to(self) -> None:
        ada = await self.visitor_of(self.relay)
        await ada.joined("presence-half", '{"user_id":"ada"}')
        key = f"wsrelay:{{presence-half:{APP.id}}}"
        source, target, slot = self.cluster.begin_move(key)
        other = await self.node()
        bob = await self.visitor_of(other)
        bob.subscribe("presence-half", '{"user_id":"bob"}')

        def written() -> str:
            return target.ask("CLUSTER", "GETKEYSINSLOT", slot, "100")

        def has_waited() -> bool:
            told = [server.ask("INFO", "errorstats") for server in (source, target)]
            return any("errorstat_TRYAGAIN" in each for each in told)

        await self.until(lambda: has_waited() or written())
        assert written() == ""
        self.cluster.end_move(source, target, slot)
        await bob.expect("pusher_internal:subscription_succeeded")
        for node in (self.relay, other):
            await self.until(lambda node=node: node.room.tally.reconciled > 1)
            assert await node.relay.presence.user_count(APP.id, "presence-half") == 2

    async def test_sharded_and_a_map_that_is_old_is_looked_at_again(self) -> None:
        """A node of the cluster may learn later that a slot has moved than listeners do."""
        ada = await self.visitor_of(self.relay)
        await ada.joined("private-torn")
        shards = self.relay.room.link
        key = self.relay.room._names.channel((APP.id, "private-torn"))
        owner = shards._owner(key)
        owner._ear._unsubscribing.clear()
        owner._ear.say("SUNSUBSCRIBE", key)  # as if Redis had done it
        await self.until(lambda: self.relay.room.tally.reconciled == 2)
        while (await self.publish(event("private-torn", "again"))).status != 200:
            await self.a_turn()
        assert (await ada.expect("told"))["data"] == "again"

    async def test_sharded_and_without_one_shard_it_is_away_as_a_whole(self) -> None:
        victims = [s for s in self.cluster.servers if s.ask("ROLE").startswith("master")]
        victim = victims[-1]
        victim.signal(signal.SIGSTOP)
        try:
            await self.until(lambda: not self.relay.readiness.is_ready)
            assert "127.0.0.1:" in self.relay.readiness.reasons[0]
            assert (await self.publish(event("room"))).status == 503
            assert not self.relay.room.link.publish(b"a", b"b")
            self.relay.room.link.tell("SET", "a", "b")
            self.relay.room.link.unsubscribe(b"a")
            guest = await self.visitor_of(self.relay)
            await guest.joined("presence-room", '{"user_id":"ada"}')
            await self.until(lambda: self.relay.readiness.is_ready)  # a replica has taken over
        finally:
            victim.signal(signal.SIGCONT)
        assert (await self.publish(event("presence-room", "on"))).json == {}
        assert (await guest.expect("told"))["data"] == "on"
        assert await self.relay.relay.presence.user_count(APP.id, "presence-room") == 1
