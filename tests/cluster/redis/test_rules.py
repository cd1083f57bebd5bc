"""Rules over two nodes: what their bus carries besides the frame, and what comes of it."""

from __future__ import annotations

import json
from typing import Any

from msgspec import structs

from tests.cluster.redis.nodes import NodesTestCase
from tests.signing import APP
from tests.visitor import Visitor
from wsrelay.config.settings import Settings
from wsrelay.core.rules import Directed, Newest, Proximity, Rule

OFFICE = "presence-office"
RULE = Rule(
    channels="presence-*",
    newest=Newest(events=("client-move",)),
    directed=Directed(events=("client-signal",)),
    snapshot=True,
    proximity=Proximity(event="client-move", radius=100),
)


class RulesTest(NodesTestCase):
    settings = Settings(
        apps=(structs.replace(APP, client_event_rate=0, rules=(RULE,)),), host="127.0.0.1", port=0
    )

    async def members(self) -> tuple[Visitor, Visitor, Visitor]:
        """Ada on the first node, bob and cyd on another."""
        other = await self.node()
        ada = await self.visitor_of(self.relay)
        await ada.joined(OFFICE, '{"user_id":"ada"}')
        bob, cyd = await self.visitor_of(other), await self.visitor_of(other)
        await bob.joined(OFFICE, '{"user_id":"bob"}')
        await cyd.joined(OFFICE, '{"user_id":"cyd"}')
        await self.heard(ada, "pusher_internal:member_added", 2)
        await self.heard(bob, "pusher_internal:member_added")
        return ada, bob, cyd

    async def heard(self, visitor: Visitor, event: str, times: int = 1) -> list[Any]:
        """The next messages, which have to be this event: their data."""
        return [json.loads((await visitor.expect(event))["data"]) for _ in range(times)]

    async def test_a_directed_whisper_reaches_its_member_on_the_other_node_alone(self) -> None:
        ada, bob, cyd = await self.members()
        for to in ("bob", cyd.socket_id):
            ada.whisper(OFFICE, {"to": to}, "client-signal")
        ada.whisper(OFFICE, {}, "client-end")
        assert await self.heard(bob, "client-signal") == [{"to": "bob"}]
        assert await self.heard(cyd, "client-signal") == [{"to": cyd.socket_id}]
        for each in (bob, cyd):
            await self.heard(each, "client-end")

    async def test_positions_are_filtered_at_the_node_of_those_who_hear_them(self) -> None:
        ada, bob, cyd = await self.members()
        bob.whisper(OFFICE, {"x": 0, "y": 0}, "client-move")
        await self.heard(ada, "client-move")
        await self.heard(cyd, "client-move")
        cyd.whisper(OFFICE, {"x": 1000, "y": 0}, "client-move")
        await self.heard(ada, "client-move")
        ada.whisper(OFFICE, {"x": 50, "y": 0}, "client-move")
        ada.whisper(OFFICE, {}, "client-end")
        assert await self.heard(bob, "client-move") == [{"x": 50, "y": 0}]
        assert await self.heard(bob, "client-nearby") == [
            {"user_id": "ada", "distance": 50, "caller": "ada"}
        ]
        await self.heard(bob, "client-end")
        await self.heard(cyd, "client-end")

    async def test_who_leaves_one_node_is_gone_on_the_other(self) -> None:
        ada, bob, cyd = await self.members()
        ada.whisper(OFFICE, {"x": 0, "y": 0}, "client-move")
        await self.heard(cyd, "client-move")
        await self.heard(bob, "client-move")
        bob.whisper(OFFICE, {"x": 1, "y": 0}, "client-move")
        await self.heard(bob, "client-move")
        await self.heard(bob, "client-nearby")
        ada.leave(OFFICE)
        assert await self.heard(bob, "client-away") == [{"user_id": "ada"}]
        await self.heard(bob, "pusher_internal:member_removed")
        dan = await self.visitor_of(self.others[0])
        await dan.joined(OFFICE, '{"user_id":"dan"}')
        assert await self.heard(dan, "client-move") == [{"x": 1, "y": 0}]
        bob.whisper(OFFICE, {}, "client-end")
        await self.heard(dan, "client-end")
