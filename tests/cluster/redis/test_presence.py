"""wsrelay.cluster.redis.presence, where Redis has lost what it had announced already."""

from __future__ import annotations

import json

from tests.cluster.redis.nodes import NodesTestCase
from tests.signing import APP


class OlderRedisTest(NodesTestCase):
    async def test_a_redis_that_comes_back_with_an_older_state_is_believed(self) -> None:
        """As a replica does that was behind its master, or one that was split off."""
        self.addCleanup(self.flushLoggedErrors)
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        await ada.joined("presence-room", '{"user_id":"ada"}')
        await bob.joined("presence-room", '{"user_id":"bob"}')
        await ada.expect("pusher_internal:member_added")
        assert self.redis.ask("SAVE") == "OK"
        self.relay.room._leases._on_dead = lambda: None
        await other.room._leases._sweep(self.relay.room._steps.node)
        await bob.expect("pusher_internal:member_removed")
        self.redis.kill()
        await self.until(lambda: not other.readiness.is_ready)
        self.redis.start()
        await self.until(lambda: all(node.readiness.is_ready for node in (self.relay, other)))
        added = await bob.expect("pusher_internal:member_added")
        assert json.loads(added["data"])["user_id"] == "ada"
        for node in (self.relay, other):
            assert await node.relay.presence.user_count(APP.id, "presence-room") == 2
