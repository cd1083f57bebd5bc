"""wsrelay.cluster.redis.remarks: whom rules ask, on a real Redis."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from tests.cluster.redis.nodes import NodesTestCase
from tests.signing import APP
from wsrelay.config.settings import Settings
from wsrelay.core.remarks import Came
from wsrelay.core.rules import Directed, Rule

RULE = Rule(channels="private-*", directed=Directed(events=("client-signal",)))
KEY = (APP.id, "private-office")


class RemarksTest(NodesTestCase):
    settings = Settings(
        apps=(structs.replace(APP, client_event_rate=0, rules=(RULE,)),), host="127.0.0.1", port=0
    )

    def elsewhere(self, node: Any) -> Any:
        return node.relay.hub.channel(*KEY).rules.colleagues._elsewhere

    async def test_a_node_that_begins_asks_those_who_attend_and_is_answered(self) -> None:
        other = await self.node()
        ada, eve = await self.visitor_of(self.relay), await self.visitor_of(self.relay)
        for each in (ada, eve):
            await each.joined("private-office")
        assert not self.relay.room.remarks.ask(*KEY)  # it is alone
        assert self.relay.room.tally.remarks_out == 0
        bob = await self.visitor_of(other)
        await bob.joined("private-office")
        await self.until(lambda: ada.socket_id in self.elsewhere(other))
        assert eve.socket_id in self.elsewhere(other)
        assert bob.socket_id in self.elsewhere(self.relay)
        assert [node.room.tally.remarks_out for node in (self.relay, other)] == [1, 2]
        assert [node.room.tally.remarks_in for node in (self.relay, other)] == [2, 1]
        eve.leave("private-office")
        await self.until(lambda: eve.socket_id not in self.elsewhere(other))

    async def test_what_is_heard_of_a_channel_without_rules_is_passed_over(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        for each in (ada, bob):
            await each.joined("public")
        self.relay.room.bus.remark((APP.id, "public"), Came("1.1"))
        ada_said = self.relay.room.tally.remarks_out
        assert ada_said == 1
        await self.publish(b'{"name":"told","channel":"public","data":"x"}')
        await bob.expect("told")
        assert other.room.tally.envelopes_not_understood == 0
        assert other.room.tally.remarks_in == 0

    async def test_a_node_that_is_swept_is_dead_to_the_others_as_redis_says(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        for each in (ada, bob):
            await each.joined("private-office")
        await self.until(lambda: bob.socket_id in self.elsewhere(self.relay))
        other.room.link.stop()  # as a killed process would: without a word
        other.room._leases.end()
        await self.until(lambda: bob.socket_id not in self.elsewhere(self.relay))
        ada.whisper("private-office", {"to": bob.socket_id}, "client-signal")
        assert (await ada.expect("pusher:error"))["data"]["code"] == 4303

    async def test_while_redis_is_away_nothing_is_asked_and_on_return_all_is(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        for each in (ada, bob):
            await each.joined("private-office")
        await self.until(lambda: bob.socket_id in self.elsewhere(self.relay))
        self.redis.kill()
        try:
            await self.until(lambda: not self.relay.readiness.is_ready)
            assert self.relay.room.remarks.ask(*KEY)
            ada.whisper("private-office", {"to": bob.socket_id}, "client-signal")
            ada.whisper("private-office", {"to": "9.9"}, "client-signal")
            assert (await ada.expect("pusher:error"))["data"]["to"] == "9.9"
            eve = await self.visitor_of(self.relay)
            await eve.joined("private-office")
        finally:
            self.redis.start()
        await self.until(lambda: eve.socket_id in self.elsewhere(other))
        self.flushLoggedErrors()
