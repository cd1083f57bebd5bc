"""wsrelay.cluster.redis: two nodes on a real Redis behave as one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from msgspec import structs

from tests.cluster.redis.nodes import NodesTestCase
from tests.loopback import request
from tests.signing import APP, event, signed_target, signin_auth
from tests.visitor import Visitor
from wsrelay.config.settings import Settings
from wsrelay.core.apps import Webhook
from wsrelay.core.notices import (
    ChannelOccupied,
    ChannelVacated,
    MemberAdded,
    MemberRemoved,
    Notice,
)
from wsrelay.core.roster import Member, RosterFull
from wsrelay.service import RelayService


class RoomTest(NodesTestCase):
    async def test_what_is_published_on_one_node_is_heard_on_the_other(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        await ada.joined("private-room")
        await bob.joined("private-room")
        ada.whisper("private-room", "hello")
        assert (await bob.expect("client-told"))["data"] == "hello"
        bob.whisper("private-room", "hello yourself")
        assert (await ada.expect("client-told"))["data"] == "hello yourself"
        response = await self.publish(event("private-room", "news"))
        assert response.json == {}
        for visitor in (ada, bob):
            assert (await visitor.expect("told"))["data"] == "news"
        response = await self.publish(event("private-room", "others", socket_id=bob.socket_id))
        assert (await ada.expect("told"))["data"] == "others"
        ada.whisper("private-room", "last")
        assert (await bob.expect("client-told"))["data"] == "last"

    async def test_presence_is_one_truth(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        await ada.joined("presence-room", '{"user_id":"ada","user_info":{"n":"Ädä"}}')
        snapshot = await bob.joined("presence-room", '{"user_id":"bob"}')
        assert json.loads(snapshot["data"])["presence"] == {
            "count": 2,
            "ids": ["ada", "bob"],
            "hash": {"ada": {"n": "Ädä"}, "bob": None},
        }
        added = await ada.expect("pusher_internal:member_added")
        assert json.loads(added["data"])["user_id"] == "bob"
        tab = await self.visitor_of(self.relay)
        snapshot = await tab.joined("presence-room", '{"user_id":"bob"}')
        assert json.loads(snapshot["data"])["presence"]["ids"] == ["ada", "bob"]
        bob.leave("presence-room")
        tab.whisper("presence-room", "still here")
        assert (await ada.expect("client-told"))["user_id"] == "bob"
        tab.leave("presence-room")
        removed = await ada.expect("pusher_internal:member_removed")
        assert json.loads(removed["data"]) == {"user_id": "bob"}

    async def test_counts_and_channels_are_the_same_from_every_node(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        eve = await self.visitor_of(other)
        for visitor in (ada, bob, eve):
            await visitor.joined("room")
        await ada.joined("presence-room", '{"user_id":"ada"}')
        await bob.joined("presence-room", '{"user_id":"bob"}')
        await eve.joined("presence-room", '{"user_id":"bob"}')
        await self.a_turn()
        for node in (self.relay, other):
            assert await node.relay.subscription_count(APP.id, "room") == 3
            assert await node.relay.presence.user_count(APP.id, "presence-room") == 2
            members = await node.relay.presence.members(APP.id, "presence-room")
            assert [member.user_id for member in members] == ["ada", "bob"]
            assert await node.relay.occupied_channels(APP.id, "") == ["presence-room", "room"]
            assert await node.relay.occupied_channels(APP.id, "pre") == ["presence-room"]
            assert await node.relay.occupied_channels("another", "") == []
        for visitor in (ada, bob, eve):
            visitor.leave("room")
        while await other.relay.subscription_count(APP.id, "room"):
            await self.a_turn()
        assert await self.relay.relay.occupied_channels(APP.id, "") == ["presence-room"]

    async def test_a_cache_channel_remembers_for_all_nodes(self) -> None:
        other = await self.node()
        await self.publish(event("cache-room", "remembered"))
        bob = await self.visitor_of(other)
        await bob.joined("cache-room")
        assert (await bob.expect("told"))["data"] == "remembered"
        await bob.joined("cache-else")
        await bob.expect("pusher:cache_miss")

    async def test_a_user_is_one_over_all_nodes(self) -> None:
        other = await self.node()
        watcher, ada = await self.visitor_of(self.relay), await self.visitor_of(other)

        async def sign_in(visitor: Visitor, **user: Any) -> None:
            data = json.dumps(user)
            visitor.say(
                "pusher:signin",
                data={"auth": signin_auth(visitor.socket_id, data), "user_data": data},
            )
            await visitor.expect("pusher:signin_success")

        async def watched() -> Any:
            message = await watcher.expect("pusher_internal:watchlist_events")
            return json.loads(message["data"])["events"]

        await sign_in(watcher, id="watcher", watchlist=["ada"])
        assert await watched() == [{"name": "offline", "user_ids": ["ada"]}]
        await sign_in(ada, id="ada")
        assert await watched() == [{"name": "online", "user_ids": ["ada"]}]
        await self.publish(event("#server-to-user-ada", "for you"))
        assert (await ada.expect("told"))["data"] == "for you"
        second = await self.visitor_of(self.relay)
        await sign_in(second, id="ada", watchlist=["watcher"])
        message = await second.expect("pusher_internal:watchlist_events")
        assert json.loads(message["data"])["events"] == [
            {"name": "online", "user_ids": ["watcher"]}
        ]
        target = signed_target("POST", f"/apps/{APP.id}/users/ada/terminate_connections")
        assert (await self.ask("POST", target)).json == {}
        for visitor in (ada, second):
            await visitor.expect("pusher:error")
            farewell = await visitor.closed()
            assert farewell is not None
            assert farewell[0] == 4009
        assert await watched() == [{"name": "offline", "user_ids": ["ada"]}]

    async def test_an_apps_connections_are_counted_over_all_nodes(self) -> None:
        few = structs.replace(APP, max_connections=2)
        self.relay.apps._by_key[APP.key] = few
        other = await self.node(apps=(few,))
        await self.visitor_of(other)
        await self.visitor_of(other)
        await self.until(lambda: self.relay.connections.count_everywhere(APP.id) == 2)
        refused = await self.visitor()
        assert (await refused.expect("pusher:error"))["data"]["code"] == 4004
        await other.stopService()
        await self.until(lambda: not self.relay.connections.count_everywhere(APP.id))
        visitor = await self.visitor_of(self.relay)
        target = signed_target("GET", f"/apps/{APP.id}/connections")
        assert (await self.ask("GET", target)).json == {"connections": 1}
        assert visitor.farewell is None

    async def test_with_redis_away_backends_are_refused_and_clients_served(self) -> None:
        other = await self.node()
        ada, eve = await self.visitor_of(self.relay), await self.visitor_of(self.relay)
        bob = await self.visitor_of(other)
        for visitor in (ada, eve, bob):
            await visitor.joined("presence-room", json.dumps({"user_id": f"u{visitor.socket_id}"}))
        await ada.expect("pusher_internal:member_added")
        await ada.expect("pusher_internal:member_added")
        await eve.expect("pusher_internal:member_added")
        self.redis.kill()
        try:
            await self.until(lambda: not self.relay.readiness.is_ready)
            assert "Redis is away" in self.relay.readiness.reasons[0]
            response = await self.publish(event("presence-room", "refused"))
            assert (response.status, response.headers["retry-after"]) == (503, "1")
            ada.whisper("presence-room", "local")
            assert (await eve.expect("client-told"))["data"] == "local"
            late = await self.visitor_of(self.relay)
            snapshot = await late.joined("presence-room", '{"user_id":"late"}')
            assert json.loads(snapshot["data"])["presence"]["count"] == 4
            for visitor in (ada, eve):
                await visitor.expect("pusher_internal:member_added")
            eve.leave("presence-room")
            for visitor in (ada, late):
                await visitor.expect("pusher_internal:member_removed")
        finally:
            self.redis.start()  # empty
        await self.until(lambda: all(node.readiness.is_ready for node in (self.relay, other)))
        added = await bob.expect("pusher_internal:member_added")
        assert json.loads(added["data"])["user_id"] == "late"
        removed = await bob.expect("pusher_internal:member_removed")
        assert json.loads(removed["data"])["user_id"] == f"u{eve.socket_id}"
        assert (await self.publish(event("presence-room", "back"))).json == {}
        for visitor in (ada, late, bob):
            assert (await visitor.expect("told"))["data"] == "back"
        for node in (self.relay, other):
            assert await node.relay.presence.user_count(APP.id, "presence-room") == 3
        self.flushLoggedErrors()

    async def test_requests_in_a_row_on_one_connection_are_all_answered(self) -> None:
        connection = await self.http()
        body = event("room", "x")
        target = signed_target("POST", f"/apps/{APP.id}/events", body)
        connection.send(request("POST", target, body) * 3)
        for _ in range(3):
            assert (await connection.response()).json == {}
        connection.send(request("POST", target, body))
        assert (await connection.response()).json == {}

    async def test_a_node_that_dies_leaves_nobody_behind(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        tab = await self.visitor_of(self.relay)
        await ada.joined("presence-room", '{"user_id":"ada"}')
        await bob.joined("presence-room", '{"user_id":"bob"}')
        eve = await self.visitor_of(other)
        await eve.joined("presence-room", '{"user_id":"ada"}')
        await eve.joined("room")
        await tab.joined("presence-room", '{"user_id":"ada"}')
        await ada.expect("pusher_internal:member_added")
        other.room.link.stop()  # as a killed process would: without a word
        other.room._leases.end()
        died = time.monotonic()
        removed = await ada.expect("pusher_internal:member_removed")
        assert time.monotonic() - died < 5
        assert json.loads(removed["data"]) == {"user_id": "bob"}
        assert (await tab.expect("pusher_internal:member_removed"))["data"] == removed["data"]
        while await self.relay.relay.subscription_count(APP.id, "room"):
            await self.a_turn()
        ada.whisper("presence-room", "only once")
        assert (await tab.expect("client-told"))["data"] == "only once"
        assert ada.take() == []
        await self.until(lambda: self.redis.ask("KEYS", f"wsrelay:node:{other.room.origin}*") == "")
        await self.until(lambda: self.relay.room.tally.nodes_swept == 1)

    async def test_a_node_that_stops_in_order_gives_its_clients_time_to_come_back(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        await ada.joined("presence-room", '{"user_id":"ada"}')
        await bob.joined("presence-room", '{"user_id":"bob"}')
        await ada.expect("pusher_internal:member_added")
        await other.stopService()
        again = await self.visitor_of(self.relay)
        snapshot = await again.joined("presence-room", '{"user_id":"bob"}')
        assert json.loads(snapshot["data"])["presence"]["ids"] == ["ada", "bob"]
        await self.until(lambda: self.relay.room.tally.nodes_swept)
        again.whisper("presence-room", "still here")
        assert (await ada.expect("client-told"))["data"] == "still here"

    async def test_a_node_taken_for_dead_comes_back_without_a_gap(self) -> None:
        other = await self.node()
        ada, bob = await self.visitor_of(self.relay), await self.visitor_of(other)
        await ada.joined("presence-room", '{"user_id":"ada"}')
        await bob.joined("presence-room", '{"user_id":"bob"}')
        await ada.expect("pusher_internal:member_added")
        node = other.room._steps.node
        await self.relay.room._leases._sweep(node)
        assert (await ada.expect("pusher_internal:member_removed"))["event"]
        added = await ada.expect("pusher_internal:member_added")
        assert json.loads(added["data"])["user_id"] == "bob"
        await self.until(lambda: other.room.tally.reconciled == 2)
        bob.whisper("presence-room", "here again")
        assert (await ada.expect("client-told"))["data"] == "here again"
        assert other.room._steps.node != node
        self.flushLoggedErrors()


class AwayTest(NodesTestCase):
    async def setUp(self) -> None:
        await super().setUp()
        self.addCleanup(self.flushLoggedErrors)

    async def asked(self, path: str, **query: str) -> Any:
        target = signed_target("GET", f"/apps/{APP.id}/channels{path}", b"", **query)
        return (await self.ask("GET", target)).json

    async def test_while_redis_is_away_this_node_answers_what_it_knows(self) -> None:
        ada = await self.visitor_of(self.relay)
        await ada.joined("presence-room", '{"user_id":"ada"}')
        await ada.joined("room")
        self.redis.kill()
        try:
            await self.until(lambda: not self.relay.readiness.is_ready)
            assert await self.asked("") == {"channels": {"presence-room": {}, "room": {}}}
            assert await self.asked("/presence-room/users") == {"users": [{"id": "ada"}]}
            assert await self.asked("/presence-else/users") == {"users": []}
            info = "user_count,subscription_count"
            assert await self.asked("/presence-room", info=info) == {
                "occupied": True,
                "user_count": 1,
                "subscription_count": 1,
            }
            assert (await self.asked("/presence-else", info=info))["user_count"] == 0
            bob = await self.visitor_of(self.relay)
            await bob.joined("cache-news")
            await bob.expect("pusher:cache_miss")
            data = json.dumps({"id": "bob", "watchlist": ["bob", "ada"]})
            auth = signin_auth(bob.socket_id, data)
            bob.say("pusher:signin", data={"auth": auth, "user_data": data})
            await bob.expect("pusher:signin_success")
            watched = await bob.expect("pusher_internal:watchlist_events")
            assert json.loads(watched["data"])["events"] == [
                {"name": "online", "user_ids": ["bob"]},
                {"name": "offline", "user_ids": ["ada"]},
            ]
            target = signed_target("POST", f"/apps/{APP.id}/users/bob/terminate_connections")
            assert (await self.ask("POST", target)).status == 503
            assert bob.take() == []
            bob.leave("cache-news")
            few = self.relay.apps._by_key[APP.key]
            await self.until(lambda: self.relay.relay.hub.channel(APP.id, "cache-news") is None)
            assert few.max_presence_members == 100
            for number in range(100):
                member = Member(f"user{number}")
                join = self.relay.relay.presence.join
                try:
                    await join(APP.id, "presence-room", f"9.{number}", member, 100)
                except RosterFull:
                    break
            assert number == 99
            for number in range(99):
                await self.relay.relay.presence.leave(APP.id, "presence-room", f"9.{number}")
        finally:
            self.redis.start()
        await self.until(lambda: self.relay.readiness.is_ready)
        assert await self.asked("/presence-room/users") == {"users": [{"id": "ada"}]}
        assert await self.relay.relay.subscription_count(APP.id, "room") == 1

    async def test_a_full_channel_is_full_on_every_node(self) -> None:
        other = await self.node()
        join = self.relay.relay.presence.join
        await join(APP.id, "presence-few", "1.1", Member("ada"), 1)
        with pytest.raises(RosterFull):
            await other.relay.presence.join(APP.id, "presence-few", "2.2", Member("bob"), 1)
        await other.relay.presence.join(APP.id, "presence-few", "3.3", Member("ada"), 1)
        assert await other.relay.presence.user_count(APP.id, "presence-few") == 1

    async def test_the_info_of_the_oldest_connection_counts(self) -> None:
        other = await self.node()
        ada, tab = await self.visitor_of(self.relay), await self.visitor_of(other)
        await ada.joined("presence-room", '{"user_id":"ada","user_info":1}')
        await tab.joined("presence-room", '{"user_id":"ada","user_info":2}')
        third = await self.visitor_of(other)
        snapshot = await third.joined("presence-room", '{"user_id":"bob"}')
        assert json.loads(snapshot["data"])["presence"]["hash"] == {"ada": 1, "bob": None}
        ada.leave("presence-room")
        picture = other.room.presence._pictures[APP.id, "presence-room"]
        await self.until(lambda: picture.members["ada"].user_info == b"2")
        assert tab.take()[1:] == []  # bob has come, and nothing else is told

    async def test_what_an_unknown_version_writes_is_counted(self) -> None:
        ada = await self.visitor_of(self.relay)
        await ada.joined("room")
        room = self.relay.room
        for name in (room._names.all, room._names.channel((APP.id, "room"))):
            await room.link.call("PUBLISH", name, b"nonsense")
        await self.until(lambda: room.tally.envelopes_not_understood == 2)


class WebhooksTest(NodesTestCase):
    """What backends are told, over all nodes."""

    hooked = structs.replace(APP, client_event_rate=0, webhooks=(Webhook(url="http://b.example/"),))
    settings = Settings(apps=(hooked,), host="127.0.0.1", port=0)

    async def setUp(self) -> None:
        await super().setUp()
        self.told: list[Notice] = []
        self.listen_to(self.relay)

    def listen_to(self, node: RelayService) -> None:
        node.room._edges._observe = self.told.append

    async def test_every_edge_is_told_once(self) -> None:
        other = await self.node()
        self.listen_to(other)
        nodes = (self.relay, other)
        ada, bob, tab = [await self.visitor_of(nodes[number % 2]) for number in range(3)]
        await ada.joined("presence-room", '{"user_id":"ada"}')
        await bob.joined("presence-room", '{"user_id":"bob"}')
        await tab.joined("presence-room", '{"user_id":"bob"}')
        await self.until(lambda: len(self.told) == 3)
        assert set(self.told) == {
            ChannelOccupied(APP.id, "presence-room"),
            MemberAdded(APP.id, "presence-room", "ada"),
            MemberAdded(APP.id, "presence-room", "bob"),
        }
        self.told.clear()
        for visitor in (bob, tab, ada):
            visitor.leave("presence-room")
        again = await self.visitor_of(other)
        await again.joined("presence-room", '{"user_id":"ada"}')  # on another node, in time
        await self.until(lambda: self.told)
        assert self.told == [MemberRemoved(APP.id, "presence-room", "bob")]
        self.told.clear()
        again.leave("presence-room")
        await self.until(lambda: len(self.told) == 2)
        assert set(self.told) == {
            MemberRemoved(APP.id, "presence-room", "ada"),
            ChannelVacated(APP.id, "presence-room"),
        }
        await self.until(lambda: not self.redis.ask("KEYS", "wsrelay:{presence-room:*}[ntu]"))

    async def test_what_a_dead_node_held_is_told_by_another(self) -> None:
        other, third = await self.node(), await self.node()
        for node in (other, third):
            self.listen_to(node)
        ada, bob = await self.visitor_of(other), await self.visitor_of(other)
        await ada.joined("presence-room", '{"user_id":"ada"}')
        await bob.joined("presence-room", '{"user_id":"bob"}')
        await self.until(lambda: len(self.told) == 3)
        self.told.clear()
        ada.leave("presence-room")  # held by the node that dies now
        await self.until(lambda: other.room._edges._held)
        other.room.link.stop()
        other.room._edges.end()
        other.room._leases.end()
        await self.until(lambda: len(self.told) == 3)
        assert set(self.told) == {
            MemberRemoved(APP.id, "presence-room", "ada"),
            MemberRemoved(APP.id, "presence-room", "bob"),
            ChannelVacated(APP.id, "presence-room"),
        }
        await self.until(lambda: not self.redis.ask("KEYS", "wsrelay:{presence-room:*}[ntu]"))
        assert len(self.told) == 3
