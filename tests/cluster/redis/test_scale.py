"""What an event costs as nodes are added: counted, with many real nodes in this process.

Two nodes share a room, all of them a hall, and each has a room of its own. ``WSRELAY_TEST_NODES=100
pytest -s tests/cluster/redis/test_scale.py`` counts with so many, and prints a row of the table in
docs/clustering.md.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from typing import Any

from tests.cluster.redis.nodes import NodesTestCase
from tests.signing import APP, event
from tests.visitor import Visitor
from wsrelay.service import RelayService

MANY = int(os.environ.get("WSRELAY_TEST_NODES", "20"))
#: Events in each room.
EVENTS = 10
ROOM, HALL = "private-room", "private-hall"

#: What living nodes do without any event, by ``nodes.lua``; and what this test asks.
_HEARTBEAT = {"ping", "evalsha", "time", "zscore", "sismember", "zadd", "zrangebyscore", "info"}


class ScaleTest(NodesTestCase):
    timeout = 30 + 3 * MANY

    async def test_an_event_costs_as_much_as_the_nodes_that_want_it_however_many_there_are(
        self,
    ) -> None:
        few = await self.counted(3)
        many = await self.counted(MANY)
        for place in ("alone", "room", "publish"):
            assert few[place] == many[place], place
        assert many["alone"] == (Counter(), 0)
        # One command, heard by the one other node that has somebody in the room.
        assert many["room"] == (Counter(publish=EVENTS), EVENTS)
        assert many["publish"] == (Counter(publish=EVENTS), EVENTS)
        # One command all the same, heard by all the others.
        assert many["hall"] == (Counter(publish=EVENTS), EVENTS * (MANY - 1))

    async def counted(self, many: int) -> dict[str, tuple[Counter[str], int]]:
        """By place, the commands of Redis and the envelopes that nodes heard, for all events."""
        nodes = [self.relay, *self.others]
        while len(nodes) < many:
            nodes.append(await self.node())
        guests = [await self.guest_of(node) for node in nodes]
        await self.settled(nodes)
        found = {
            "alone": await self.of(nodes, guests[2:3], "private-own-2"),
            "room": await self.of(nodes, guests[:2], ROOM),
            "hall": await self.of(nodes, guests, HALL),
            "publish": await self.of(nodes, guests[:2], ROOM, is_published=True),
        }
        if "WSRELAY_TEST_NODES" in os.environ:
            heard = [found[place][1] / EVENTS for place in ("alone", "room", "hall")]
            sys.stdout.write(f"\n| {many} | {heard[0]:g} | {heard[1]:g} | {heard[2]:g} |\n")
        for guest in guests:
            guest.transport.abortConnection()
            await guest.gone
        await self.until(lambda: not any(len(node.relay.hub) for node in nodes))
        await self.quiet(nodes)
        return found

    async def guest_of(self, node: RelayService) -> Visitor:
        nodes = [self.relay, *self.others]
        guest = await self.visitor_of(node)
        number = nodes.index(node)
        await guest.joined(f"private-own-{number}")
        await guest.joined(HALL)
        if number < 2:
            await guest.joined(ROOM)
        return guest

    async def settled(self, nodes: list[RelayService]) -> None:
        """Whoever was alone in the room or the hall knows that he is not any more."""
        for name, those in ((ROOM, nodes[:2]), (HALL, nodes)):
            for node in those:
                interest = node.room._interests.of((APP.id, name))
                await self.until(lambda interest=interest: not interest.is_alone)
        await self.quiet(nodes)

    async def quiet(self, nodes: list[RelayService]) -> None:
        """Whatever nodes had to tell of who came or went has been told, and answered."""
        count = sum(node.connections.count(APP.id) for node in nodes)
        for node in nodes:
            others = count - node.connections.count(APP.id)
            known = node.connections.elsewhere
            await self.until(lambda k=known, o=others: k.get(APP.id, 0) == o)
        before = None
        while before != (before := self.commands()):
            for node in nodes:
                await node.room.link.call("PING")

    async def of(
        self, nodes: list[RelayService], guests: list[Visitor], name: str, **options: Any
    ) -> tuple[Counter[str], int]:
        commands, heard = self.commands(), self.heard(nodes)
        for number in range(EVENTS):
            if options.get("is_published"):
                assert (await self.publish(event(name, str(number)))).status == 200
                hearers = guests
            else:
                guests[0].whisper(name, number)
                hearers = guests[1:]
            for hearer in hearers:
                assert str((await hearer.next())["data"]) == str(number)
        if not hearers:  # it has no answer to wait for but that of what was said behind it
            guests[0].say("pusher:ping")
            await guests[0].expect("pusher:pong")
        return self.commands() - commands, self.heard(nodes) - heard

    def commands(self) -> Counter[str]:
        told = re.findall(r"cmdstat_(\w+):calls=(\d+)", self.redis.ask("INFO", "commandstats"))
        return Counter({name: int(calls) for name, calls in told if name not in _HEARTBEAT})

    @staticmethod
    def heard(nodes: list[RelayService]) -> int:
        return sum(node.room.tally.envelopes_in for node in nodes)
