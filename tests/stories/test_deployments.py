"""The same stories, whoever stands behind the doors: one process, or several as one relay."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.servers import until
from tests.signing import APP, event, signed_target, signin_auth
from tests.stories.deployments import DeployedTestCase, Deployment, OnCluster, OnRedis, OnSentinels
from tests.visitor import Message, Visitor


def member(user_id: str) -> str:
    return json.dumps({"user_id": user_id, "user_info": {"name": user_id.title()}})


async def sign_in(visitor: Visitor, **user: Any) -> None:
    data = json.dumps(user)
    auth = signin_auth(visitor.socket_id, data)
    visitor.say("pusher:signin", data={"auth": auth, "user_data": data})
    await visitor.expect("pusher:signin_success")


def watched(message: Message) -> Any:
    return json.loads(message["data"])["events"]


class Stories:
    """Mixed into a test case for each deployment."""

    async def get(self: Any, path: str, **query: str) -> Any:
        return (await self.ask("GET", signed_target("GET", path, b"", **query))).json

    async def test_a_publish_reaches_everybody_but_the_one_left_out(self: Any) -> None:
        ada, bob, eve = [await self.guest("news") for _ in range(3)]
        assert (await self.publish(event("news", "one"))).json == {}
        for visitor in (ada, bob, eve):
            assert (await visitor.expect("told"))["data"] == "one"
        for excluded in (ada, bob):
            body = event("news", "others", socket_id=excluded.socket_id)
            assert (await self.publish(body)).json == {}
        assert (await self.publish(event("news", "last"))).json == {}
        heard = [[(await visitor.next())["data"] for _ in range(2)] for visitor in (ada, bob)]
        assert heard == [["others", "last"]] * 2
        assert [(await eve.next())["data"] for _ in range(3)] == ["others", "others", "last"]

    async def test_a_batch_is_heard_whole_and_in_order(self: Any) -> None:
        ada, bob = [await self.guest("news") for _ in range(2)]
        batch = [{"name": "told", "channel": "news", "data": str(n)} for n in range(10)]
        body = json.dumps({"batch": batch}).encode()
        target = signed_target("POST", f"/apps/{APP.id}/batch_events", body)
        assert (await self.ask("POST", target, body)).json == {}
        for visitor in (ada, bob):
            assert [(await visitor.next())["data"] for _ in range(10)] == list(map(str, range(10)))

    async def test_whispers_are_heard_in_order_by_all_others(self: Any) -> None:
        ada, bob, eve = [await self.guest("private-room") for _ in range(3)]
        for number in range(50):
            ada.whisper("private-room", number)
        for visitor in (bob, eve):
            for number in range(50):
                assert (await visitor.expect("client-told"))["data"] == str(number)
        bob.whisper("private-room", "back")
        assert (await ada.expect("client-told"))["data"] == "back"

    async def test_who_has_just_subscribed_hears_the_next_whisper(self: Any) -> None:
        for number in range(20):
            ada = await self.guest(f"private-{number}")
            bob = await self.guest(f"private-{number}")
            ada.whisper(f"private-{number}", "at once")
            assert (await bob.expect("client-told"))["data"] == "at once"

    async def test_presence_is_the_same_for_everybody(self: Any) -> None:
        ada, bob, tab = [await self.guest() for _ in range(3)]
        await ada.joined("presence-room", member("ada"))
        snapshot = await bob.joined("presence-room", member("bob"))
        assert json.loads(snapshot["data"])["presence"] == {
            "count": 2,
            "ids": ["ada", "bob"],
            "hash": {"ada": {"name": "Ada"}, "bob": {"name": "Bob"}},
        }
        added = await ada.expect("pusher_internal:member_added")
        assert json.loads(added["data"]) == {"user_id": "bob", "user_info": {"name": "Bob"}}
        snapshot = await tab.joined("presence-room", member("bob"))
        assert json.loads(snapshot["data"])["presence"]["ids"] == ["ada", "bob"]
        for _ in range(2):
            path = f"/apps/{APP.id}/channels/presence-room"
            assert await self.get(f"{path}/users") == {"users": [{"id": "ada"}, {"id": "bob"}]}
            assert await self.get(path, info="user_count,subscription_count") == {
                "occupied": True,
                "user_count": 2,
                "subscription_count": 3,
            }
            assert await self.get(
                f"/apps/{APP.id}/channels", filter_by_prefix="presence-", info="user_count"
            ) == {"channels": {"presence-room": {"user_count": 2}}}
        bob.leave("presence-room")
        tab.whisper("presence-room", "still here")
        assert (await ada.expect("client-told"))["user_id"] == "bob"
        tab.transport.abortConnection()
        removed = await ada.expect("pusher_internal:member_removed")
        assert json.loads(removed["data"]) == {"user_id": "bob"}
        ada.leave("presence-room")
        while (await self.get(f"/apps/{APP.id}/channels"))["channels"]:
            await self.a_turn()

    async def test_members_who_come_and_go_at_once_leave_the_same_picture(self: Any) -> None:
        watchers = [await self.guest() for _ in range(2)]
        for number, watcher in enumerate(watchers):
            await watcher.joined("presence-hall", member(f"watcher{number}"))
        crowd = [await self.guest() for _ in range(12)]
        for number, visitor in enumerate(crowd):
            visitor.subscribe("presence-hall", member(f"user{number % 6}"))
        for visitor in crowd[::2]:
            visitor.leave("presence-hall")
        for visitor in crowd[1::2]:
            await visitor.expect("pusher_internal:subscription_succeeded")
        for visitor in crowd:  # answered behind all that was asked before
            visitor.say("pusher:ping")
            while (await visitor.next())["event"] != "pusher:pong":
                pass
        expected = {"watcher0", "watcher1", "user1", "user3", "user5"}
        for watcher in watchers:
            users = {"watcher0", "watcher1"}
            while users != expected:
                message = await watcher.next()
                user_id = json.loads(message["data"])["user_id"]
                if message["event"] == "pusher_internal:member_added":
                    assert user_id not in users or user_id == "watcher1"
                    users.add(user_id)
                else:
                    assert message["event"] == "pusher_internal:member_removed"
                    users.remove(user_id)

    async def test_a_cache_channel_remembers(self: Any) -> None:
        first = await self.guest("cache-news")
        await first.expect("pusher:cache_miss")
        assert (await self.publish(event("cache-news", "old"))).json == {}
        assert (await self.publish(event("cache-news", "new"))).json == {}
        for _ in range(2):
            late = await self.guest("cache-news")
            assert (await late.expect("told"))["data"] == "new"
        assert [(await first.next())["data"] for _ in range(2)] == ["old", "new"]

    async def test_users_sign_in_are_watched_and_ended(self: Any) -> None:
        watcher, ada, tab = [await self.guest() for _ in range(3)]
        await sign_in(watcher, id="watcher", watchlist=["ada"])
        offline = [{"name": "offline", "user_ids": ["ada"]}]
        assert watched(await watcher.expect("pusher_internal:watchlist_events")) == offline
        await sign_in(ada, id="ada")
        online = [{"name": "online", "user_ids": ["ada"]}]
        assert watched(await watcher.expect("pusher_internal:watchlist_events")) == online
        await sign_in(tab, id="ada")
        assert (await self.publish(event("#server-to-user-ada", "for you"))).json == {}
        for visitor in (ada, tab):
            assert (await visitor.expect("told"))["data"] == "for you"
        target = signed_target("POST", f"/apps/{APP.id}/users/ada/terminate_connections")
        assert (await self.ask("POST", target)).json == {}
        for visitor in (ada, tab):
            await visitor.expect("pusher:error")
            farewell = await visitor.closed()
            assert farewell is not None
            assert farewell[0] == 4009
        assert watched(await watcher.expect("pusher_internal:watchlist_events")) == offline


class AloneTest(Stories, DeployedTestCase):
    deployed = Deployment


class OnRedisTest(Stories, DeployedTestCase):
    deployed = OnRedis


class OnSentinelsTest(Stories, DeployedTestCase):
    deployed = OnSentinels
    deployment: OnSentinels

    async def test_zz_a_failover_is_followed(self) -> None:
        """Last of all: it leaves the replica as the master."""
        ada, bob = [await self.guest() for _ in range(2)]
        await ada.joined("presence-room", member("ada"))
        await bob.joined("presence-room", member("bob"))
        await ada.expect("pusher_internal:member_added")
        self.deployment.sentinels.master.kill()
        status = 0
        while status != 200:
            status = (await self.publish(event("presence-elsewhere"))).status
            assert status in (200, 503)
            await self.a_turn()
        assert self.deployment.sentinels.replica.ask("ROLE").startswith("master")
        while True:  # by the other node as well
            answers = [await self.publish(event("presence-room", "after")) for _ in range(2)]
            if [answer.status for answer in answers] == [200, 200]:
                break
        bob.whisper("presence-room", "over")
        while (message := await ada.next())["data"] != "over":
            assert message["event"] == "told"
        for _ in range(2):
            path = f"/apps/{APP.id}/channels/presence-room/users"
            assert await self.get(path) == {"users": [{"id": "ada"}, {"id": "bob"}]}


class OnClusterTest(Stories, DeployedTestCase):
    deployed = OnCluster
    deployment: OnCluster

    async def published(self, channel: str, data: str) -> None:
        """Once with each node, refused as often as need be."""
        for _ in range(2):
            while (await self.publish(event(channel, data))).status != 200:
                await self.a_turn()

    async def test_keys_of_a_channel_are_on_one_shard_and_publications_go_there_alone(self) -> None:
        ada, bob = [await self.guest("private-room") for _ in range(2)]
        servers = self.deployment.cluster.servers
        owner = self.deployment.cluster.master_of(f"wsrelay:{{private-room:{APP.id}}}")

        def published() -> list[int]:
            told = [server.ask("INFO", "commandstats") for server in servers]
            found = [re.search(r"cmdstat_spublish:calls=(\d+)", each) for each in told]
            return [int(each[1]) if each else 0 for each in found]

        before = published()
        for number in range(20):
            ada.whisper("private-room", number)
            await bob.next()
        grown = [now - then for now, then in zip(published(), before, strict=True)]
        there = grown.pop(servers.index(owner))
        assert there >= 20
        assert sum(grown) < 10  # of other tests' connections that are gone

    async def test_zz_slots_that_move_are_followed_and_so_is_a_failover(self) -> None:
        cluster = self.deployment.cluster
        ada, bob = [await self.guest() for _ in range(2)]
        await ada.joined("presence-room", member("ada"))
        await bob.joined("presence-room", member("bob"))
        await ada.expect("pusher_internal:member_added")
        name = f"wsrelay:{{presence-room:{APP.id}}}"
        source = cluster.master_of(name)
        target = next(
            server
            for server in cluster.servers
            if server is not source and server.ask("ROLE").startswith("master")
        )
        slot = source.ask("CLUSTER", "KEYSLOT", name)
        ids = [server.ask("CLUSTER", "MYID") for server in (source, target)]
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        keys = source.ask("CLUSTER", "GETKEYSINSLOT", slot, "100").split()
        assert keys
        source.ask("MIGRATE", "127.0.0.1", str(target.port), "", "0", "5000", "KEYS", *keys)
        for server in cluster.servers:
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        until(lambda: cluster.master_of(name) is target)
        await self.agreed(ada, bob, "moved")
        target.kill()
        await self.agreed(ada, bob, "failed over")
        assert cluster.master_of(name) is not target

    async def agreed(self, ada: Visitor, bob: Visitor, what: str) -> None:
        """Both hear what is published by either node, and are in the same picture."""
        while True:
            await self.published("presence-room", what)
            bob.whisper("presence-room", what)
            ada.say("pusher:ping")
            heard = []
            while (message := await ada.next())["event"] != "pusher:pong":
                heard.append(message["event"])
            assert "pusher_internal:member_removed" not in heard
            if {"told", "client-told"} <= set(heard):
                break
        both = {"users": [{"id": "ada"}, {"id": "bob"}]}
        for _ in range(2):
            assert await self.get(f"/apps/{APP.id}/channels/presence-room/users") == both
