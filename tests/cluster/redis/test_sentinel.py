"""wsrelay.cluster.redis.sentinel, with real sentinels."""

from __future__ import annotations

import signal

import pytest
from twisted.internet.task import deferLater

from tests.cluster.redis.nodes import NodesTestCase
from tests.loopback import reactor
from tests.servers import Sentinels
from tests.signing import event
from wsrelay.cluster.redis.sentinel import _is_doubted
from wsrelay.core.apps import Secret
from wsrelay.service import RelayService


@pytest.mark.parametrize(
    ("flags", "is_doubted"),
    [
        (["master", "master", "master"], False),
        (["master,s_down", "master", "master"], False),  # it may be that one's own link
        (["master,s_down", "master,s_down", "master"], True),
        (["master", "master,s_down,o_down", "master"], True),
        (["master", "master", "master,failover_in_progress"], True),
        (["master,s_down", "master"], False),
        (["master,s_down"], True),
    ],
)
def test_a_master_is_doubted_when_sentinels_may_replace_it(
    flags: list[str], is_doubted: bool
) -> None:
    assert _is_doubted(flags) is is_doubted


class SentinelTest(NodesTestCase):
    timeout = 60
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

    async def test_a_sentinel_that_says_nothing_is_passed_over(self) -> None:
        """As those of a machine that is gone: its word is not waited for."""
        silent = self.sentinels.processes[0]
        silent.send_signal(signal.SIGSTOP)
        self.addCleanup(silent.send_signal, signal.SIGCONT)
        other = await self.node_that_waits(self.url)
        await self.until(lambda: other.readiness.is_ready)

    async def test_zy_a_master_that_was_replaced_while_it_lives_is_left(self) -> None:
        guest = await self.visitor_of(self.relay)
        await guest.joined("presence-room", '{"user_id":"ada"}')
        old = self.sentinels.agreed_master()
        self.sentinels.fail_over()
        await self.until(lambda: not self.relay.readiness.is_ready)
        assert "another master has taken its place" in self.relay.readiness.reasons[0]
        await self.until(lambda: self.relay.readiness.is_ready)
        assert self.relay.room.link._commands.transport.getPeer().port != old.port
        assert await self.relay.relay.presence.user_count("1001", "presence-room") == 1

    async def test_zz_a_failover_is_followed(self) -> None:
        guest = await self.visitor_of(self.relay)
        await guest.joined("presence-room", '{"user_id":"ada"}')
        await self.whole()
        master = self.sentinels.agreed_master()
        master.kill()
        await self.until(lambda: not self.relay.readiness.is_ready)
        await self.until(lambda: self.relay.readiness.is_ready)
        assert self.sentinels.agreed_master() not in (None, master)
        assert (await self.publish(event("presence-room", "on"))).json == {}
        assert (await guest.expect("told"))["data"] == "on"
        assert await self.relay.relay.presence.user_count("1001", "presence-room") == 1

    async def whole(self) -> None:
        """A replaced master has become a replica, and so can take its place again."""
        while not self.sentinels.are_whole():
            await deferLater(reactor, 0.1)

    async def node_that_waits(self, url: str) -> RelayService:
        return await self.node(is_awaited=False, redis=Secret(url))
