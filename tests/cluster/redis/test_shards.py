"""wsrelay.cluster.redis.shards: a cluster without sharded pub/sub, as before Redis 7.

What it does with it is told by the stories, on real processes.
"""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.redis.nodes import NodesTestCase
from tests.servers import RedisCluster
from tests.signing import APP, event
from wsrelay.cluster.redis.shards import Shards


class PlainTest(NodesTestCase):
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
        asked = Shards._asked

        async def older(shards: Shards, host: tuple[str, int]) -> Any:
            found, is_sharded = await asked(shards, host)
            assert is_sharded
            return found, False

        self.patch(Shards, "_asked", older)
        await super().setUp()

    async def test_publications_are_carried_by_the_whole_cluster(self) -> None:
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
        assert self.cluster.servers[0].ask("INFO", "commandstats").count("spublish") == 0
