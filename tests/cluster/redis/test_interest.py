"""wsrelay.cluster.redis.interest: what a node attends to, and what it spares Redis when alone."""

from __future__ import annotations

import re

from tests.cluster.redis.nodes import NodesTestCase
from tests.signing import APP


class InterestTest(NodesTestCase):
    async def test_a_channel_of_one_node_alone_costs_redis_nothing_per_client_event(self) -> None:
        other = await self.node()
        ada, eve = await self.visitor_of(self.relay), await self.visitor_of(self.relay)
        for visitor in (ada, eve):
            await visitor.joined("private-room")

        def publishes() -> int:
            found = re.search(
                r"cmdstat_publish:calls=(\d+)", self.redis.ask("INFO", "commandstats")
            )
            return int(found[1]) if found else 0

        async def all_told() -> None:
            for room in (self.relay.room, other.room):
                await self.until(lambda quota=room._quota: not quota._changed)
                await room.link.call("PING")

        await all_told()
        before = publishes()
        for number in range(200):
            ada.whisper("private-room", number)
            assert (await eve.expect("client-told"))["data"] == str(number)
        assert publishes() == before

        bob = await self.visitor_of(other)
        await bob.joined("private-room")
        await all_told()
        before = publishes()
        ada.whisper("private-room", "for both")
        for visitor in (eve, bob):
            assert (await visitor.expect("client-told"))["data"] == "for both"
        assert publishes() == before + 1

        bob.leave("private-room")
        key = (APP.id, "private-room")
        interest = self.relay.room._interests.of(key)
        await self.until(lambda: interest.is_alone)
        before = publishes()
        ada.whisper("private-room", "alone again")
        assert (await eve.expect("client-told"))["data"] == "alone again"
        assert publishes() == before

        await bob.joined("private-room")
        ada.whisper("private-room", "for both again")
        assert (await bob.expect("client-told"))["data"] == "for both again"
