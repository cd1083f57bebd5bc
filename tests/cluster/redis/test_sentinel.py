"""wsrelay.cluster.redis.sentinel, with real sentinels."""

from __future__ import annotations

from tests.cluster.redis.nodes import NodesTestCase
from tests.servers import Sentinels
from tests.signing import event
from wsrelay.core.apps import Secret
from wsrelay.service import RelayService


class SentinelTest(NodesTestCase):
    sentinels: Sentinels

    @classmethod
    def setUpClass(cls) -> None:
        cls.sentinels = Sentinels()
        try:
            cls.sentinels.start()
        except BaseException:
            cls.sentinels.remove()
            raise
        cls.redis = cls.sentinels.master
        cls.url = cls.sentinels.url

    @classmethod
    def tearDownClass(cls) -> None:
        cls.sentinels.remove()

    async def test_a_master_that_nobody_knows_is_told(self) -> None:
        url = self.url.replace("mymaster", "theirs")
        self.addCleanup(self.flushLoggedErrors)
        other = await self.node_that_waits(url)
        await self.until(lambda: "know no master 'theirs'" in other.readiness.reasons[0])

    async def test_sentinels_that_do_not_answer_are_passed_over(self) -> None:
        url = self.url.replace("//", "//127.0.0.1:1,")
        other = await self.node_that_waits(url)
        await self.until(lambda: other.readiness.is_ready)
        guest = await self.visitor_of(other)
        await guest.joined("room")
        assert (await self.publish(event("room", "hello"))).json == {}
        assert (await guest.expect("told"))["data"] == "hello"
        lost = await self.node_that_waits("redis+sentinel://127.0.0.1:1/mymaster")
        await self.until(lambda: "no sentinel answers" in lost.readiness.reasons[0])

    async def test_zz_a_failover_is_followed(self) -> None:
        guest = await self.visitor_of(self.relay)
        await guest.joined("presence-room", '{"user_id":"ada"}')
        self.sentinels.master.kill()
        await self.until(lambda: not self.relay.readiness.is_ready)
        await self.until(lambda: self.relay.readiness.is_ready)
        assert self.sentinels.replica.ask("ROLE").startswith("master")
        assert (await self.publish(event("presence-room", "on"))).json == {}
        assert (await guest.expect("told"))["data"] == "on"
        assert await self.relay.relay.presence.user_count("1001", "presence-room") == 1

    async def node_that_waits(self, url: str) -> RelayService:
        return await self.node(is_awaited=False, redis=Secret(url))
