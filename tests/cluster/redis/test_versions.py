"""Nodes of neighbouring versions in one cluster, as in a rolling upgrade."""

from __future__ import annotations

import json
import signal
import tempfile
from pathlib import Path

from twisted.internet.threads import deferToThread

from tests.cluster.redis.nodes import NodesTestCase
from tests.cluster.redis.versions import BEFORE, NEXT, NEXT_SAY, OtherVersion
from tests.loopback import Response
from tests.signing import APP, event, signed_target, signin_auth
from tests.visitor import Visitor

ROOM = "presence-cache-room"


class VersionsTest(NodesTestCase):
    timeout = 60

    async def test_a_newer_node_and_this_one_are_one_relay(self) -> None:
        await self.start(NEXT, NEXT_SAY)
        await self.converse()
        assert self.relay.room.tally.envelopes_not_understood
        assert not self.relay.room.tally.envelopes_missed

    async def test_an_older_node_and_this_one_are_one_relay(self) -> None:
        await self.start(BEFORE)
        await self.converse()
        assert not self.relay.room.tally.envelopes_not_understood
        assert not self.relay.room.tally.envelopes_missed

    async def start(self, envelope: str, say: str = "") -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.other = OtherVersion(Path(directory.name), self.redis.url, envelope, say)
        self.addCleanup(self.other.end, signal.SIGKILL)
        await deferToThread(self.other.wait_for, "is reached")
        self.here, self.there = self.port, self.other.port
        #: Visitors on either node.
        self.present = 0

    async def at(self, port: int) -> Visitor:
        self.port = port
        try:
            visitor = await self.visitor()
        finally:
            self.port = self.here
        await visitor.welcome()
        self.present += 1
        return visitor

    async def asked(self, port: int, method: str, path: str, body: bytes = b"") -> Response:
        path, _, query = path.partition("?")
        more = dict([query.split("=")]) if query else {}
        target = signed_target(method, f"/apps/{APP.id}{path}", body, **more)
        self.port = port
        try:
            return await self.ask(method, target, body)
        finally:
            self.port = self.here

    async def converse(self) -> None:
        """Everything that nodes say to one another, both ways."""
        for here, there in ((self.here, self.there), (self.there, self.here)):
            await self.talk(here, there)
            await self.come_and_go(here, there)
            await self.sign_in(here, there)

    async def talk(self, here: int, there: int) -> None:
        """A lone node is told that it is not alone; events, and whom they leave out."""
        ada = await self.at(here)
        await ada.joined("private-room")
        bob = await self.at(there)
        await bob.joined("private-room")
        for number in range(3):
            ada.whisper("private-room", number)
            assert (await bob.expect("client-told"))["data"] == str(number)
            bob.whisper("private-room", number)
            assert (await ada.expect("client-told"))["data"] == str(number)
        body = event("private-room", "news", socket_id=bob.socket_id)
        assert (await self.asked(here, "POST", "/events", body)).json == {}
        assert (await ada.expect("told"))["data"] == "news"
        assert (await self.asked(here, "POST", "/events", event("private-room", "all"))).json == {}
        assert (await bob.expect("told"))["data"] == "all"
        for visitor in (ada, bob):
            visitor.leave("private-room")

    async def come_and_go(self, here: int, there: int) -> None:
        """Presence, counts and what a cache channel remembers."""
        ada, bob, tab = await self.at(here), await self.at(there), await self.at(here)
        await self.asked(here, "POST", "/events", event(ROOM, "cached"))
        for visitor, user in ((ada, "ada"), (bob, "bob"), (tab, "bob")):
            data = json.dumps({"user_id": user, "user_info": {"n": user}})
            await visitor.joined(ROOM, data)
            await visitor.expect("told")
        added = await ada.expect("pusher_internal:member_added")
        assert json.loads(added["data"])["user_id"] == "bob"
        for port in (here, there):
            path = f"/channels/{ROOM}?info=user_count,subscription_count"
            found = (await self.asked(port, "GET", path)).json
            assert (found["user_count"], found["subscription_count"]) == (2, 3)
        for visitor in (bob, tab):
            visitor.leave(ROOM)
        removed = await ada.expect("pusher_internal:member_removed")
        assert json.loads(removed["data"]) == {"user_id": "bob"}
        ada.leave(ROOM)

    async def sign_in(self, here: int, there: int) -> None:
        """Users over both nodes: what is sent to them, and that they are sent away."""
        ada = await self.at(there)
        data = json.dumps({"id": "ada"})
        ada.say("pusher:signin", data={"auth": signin_auth(ada.socket_id, data), "user_data": data})
        await ada.expect("pusher:signin_success")
        to_ada = event("#server-to-user-ada", "for you")
        assert (await self.asked(here, "POST", "/events", to_ada)).json == {}
        assert (await ada.expect("told"))["data"] == "for you"
        await self.asked(here, "POST", "/users/ada/terminate_connections", b"{}")
        await ada.expect("pusher:error")
        farewell = await ada.closed()
        assert farewell is not None
        assert farewell[0] == 4009
        self.present -= 1
        await self.until(lambda: self.relay.connections.count_everywhere(APP.id) == self.present)
