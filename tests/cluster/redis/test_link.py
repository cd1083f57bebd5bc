"""wsrelay.cluster.redis.link: every way in which Redis can be away, told apart, and back again."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.loopback import reactor
from tests.servers import RedisServer
from tests.tls.authority import Authority
from wsrelay.cluster.redis.address import parse
from wsrelay.cluster.redis.channels import CHANNEL, NODES
from wsrelay.cluster.redis.endpoint import endpoints
from wsrelay.cluster.redis.link import Link
from wsrelay.cluster.redis.wire import Unreachable


class LinkTest(TestCase):
    timeout = 40

    def setUp(self) -> None:
        self.servers: list[RedisServer] = []
        self.reasons: list[str] = []
        self.ups = 0
        self.links: list[Link] = []

    async def tearDown(self) -> None:
        for link in self.links:
            link.stop()
        for server in self.servers:
            server.remove()
        await deferLater(reactor, 0.05)

    def server(self, **options: str) -> RedisServer:
        server = RedisServer(**options)
        self.servers.append(server)
        server.start()
        return server

    def link(self, url: str, is_right: Callable[[], Awaitable[bool | None]] | None = None) -> Link:
        address = parse(url)
        to = endpoints(reactor, address)

        def up() -> None:
            self.ups += 1

        link = Link(
            reactor,
            address,
            lambda: to(*(address.hosts[0] if address.hosts else ("", 0))),
            scripts=(CHANNEL, NODES),
            on_up=up,
            on_down=self.reasons.append,
            on_message=lambda name, message: None,
            spawn=lambda coroutine: Deferred.fromCoroutine(coroutine) and None,
            is_right=is_right,
        )
        self.links.append(link)
        link.start()
        return link

    async def until(self, is_so: Callable[[], Any]) -> None:
        while not is_so():
            await deferLater(reactor, 0.01)

    def directory(self) -> Path:
        """Gone after the test, and not in the folder that packages are made of, as trial's is."""
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        return Path(made.name)

    async def is_away(self, link: Link, words: str) -> None:
        """It says why; calls fail at once; it goes on trying."""
        await self.until(lambda: any(words in reason for reason in self.reasons))
        known = len(self.reasons)
        await self.until(lambda: not link.is_up)
        with pytest.raises(Unreachable):
            await link.call("PING")
        assert not link.publish(b"a", b"b")
        await self.until(lambda: len(self.reasons) > known + 1 or link.is_up)

    async def test_refused(self) -> None:
        server = self.server()
        server.kill()
        link = self.link(server.url)
        await self.is_away(link, "refused")
        server.start()
        await self.until(lambda: link.is_up)
        assert await link.call("PING") == b"PONG"
        server.kill()
        await self.is_away(link, "closed")
        server.start()
        await self.until(lambda: link.is_up)
        assert self.ups == 2

    async def test_a_password_is_missing_or_wrong(self) -> None:
        server = self.server(requirepass="secret")
        server.ask("-a", "secret", "ACL", "SETUSER", "ada", "on", ">hers", "~*", "&*", "+@all")
        await self.is_away(self.link(server.url), "NOAUTH")
        self.reasons.clear()
        await self.is_away(self.link(f"redis://:topsecret@127.0.0.1:{server.port}"), "WRONGPASS")
        assert not [reason for reason in self.reasons if "topsecret" in reason]
        for login in (":secret", "ada:hers"):
            link = self.link(f"redis://{login}@127.0.0.1:{server.port}/2")
            await self.until(lambda link=link: link.is_up)
            await link.call("SET", "in", "2")
        assert server.ask("-a", "secret", "-n", "2", "GET", "in") == "2"

    async def test_a_replica(self) -> None:
        server = self.server(replicaof="127.0.0.1 1")
        link = self.link(server.url)
        await self.is_away(link, "READONLY")
        server.ask("REPLICAOF", "NO", "ONE")
        await self.until(lambda: link.is_up)
        server.ask("REPLICAOF", "127.0.0.1", "1")
        link.tell("SET", "a", "b")
        await self.is_away(link, "READONLY")

    async def test_out_of_memory(self) -> None:
        server = self.server()
        link = self.link(server.url)
        await self.until(lambda: link.is_up)
        server.ask("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(Unreachable):
            await link.all_or_nothing([("SET", "a", "b"), ("PUBLISH", "a", "b")])
        await self.until(lambda: any("OOM" in reason for reason in self.reasons))

    async def test_still_loading(self) -> None:
        server = self.server(**{"rdbcompression": "no", "enable-debug-command": "local"})
        server.ask("DEBUG", "POPULATE", "100", "key", "2000")
        server.ask("SAVE")
        server.kill()
        server.options |= {
            "key-load-delay": "30000",
            "loading-process-events-interval-bytes": "1024",
        }
        server.start(is_awaited=False)
        link = self.link(server.url)
        await self.is_away(link, "LOADING")
        await self.until(lambda: link.is_up)

    async def test_paused(self) -> None:
        server = self.server()
        link = self.link(server.url)
        await self.until(lambda: link.is_up)
        server.signal(signal.SIGSTOP)
        waiting = link.call("PING")
        with pytest.raises(Unreachable):
            await waiting
        await self.is_away(link, "silent")
        server.signal(signal.SIGCONT)
        await self.until(lambda: link.is_up)

    async def test_a_redis_that_was_replaced_is_left(self) -> None:
        server = self.server()
        is_right = True

        async def asked() -> bool:
            return is_right

        link = self.link(server.url, asked)
        await self.until(lambda: link.is_up)
        await link.all_or_nothing([("PUBLISH", "a", "b")])
        is_right = False
        await self.is_away(link, "another master has taken its place")

    async def test_nothing_is_sure_where_nobody_can_say_whether_it_is_the_right_one(self) -> None:
        server = self.server()
        answers: list[bool | None] = [None, True, None]
        asked = 0

        async def is_right() -> bool | None:
            nonlocal asked
            asked += 1
            return answers[asked - 1] if asked <= len(answers) else None

        link = self.link(server.url, is_right)
        await self.until(lambda: link.is_up)
        for number in (1, 2, 3):
            await self.until(lambda number=number: asked == number)
            surely = link.all_or_nothing([("PUBLISH", "a", "b")])
            if number == 2:
                await surely
                continue
            with pytest.raises(Unreachable, match="another master may have taken its place"):
                await surely
        assert link.is_up

    async def test_after_silence_nothing_is_sure_until_it_is_known_to_be_the_right_one(
        self,
    ) -> None:
        server = self.server()
        answers: list[Deferred[bool]] = []

        def asked() -> Deferred[bool]:
            answers.append(Deferred())
            return answers[-1]

        link = self.link(server.url, asked)
        await self.until(lambda: answers)
        server.signal(signal.SIGSTOP)
        surely = Deferred.fromCoroutine(link.all_or_nothing([("PUBLISH", "a", "b")]))
        await self.until(lambda: link._commands.silence)
        server.signal(signal.SIGCONT)
        with pytest.raises(Unreachable, match="another master may have taken its place"):
            await surely
        with pytest.raises(Unreachable):
            await link.all_or_nothing([("PUBLISH", "a", "b")])
        known = len(answers)
        await self.until(lambda: len(answers) > known and not link._commands.silence)
        answers[-1].callback(True)
        await link.all_or_nothing([("PUBLISH", "a", "b")])
        assert link.is_up
        for each in answers[:-1]:
            each.errback(Unreachable("no sentinel answers"))

    async def test_a_unix_socket(self) -> None:
        path = self.directory() / "redis.sock"
        server = self.server(unixsocket=str(path))
        link = self.link(f"unix://{path}?db=1")
        await self.until(lambda: link.is_up)
        await link.call("SET", "in", "1")
        assert server.ask("-n", "1", "GET", "in") == "1"

    async def test_tls_with_the_servers_name_verified_and_a_client_certificate(self) -> None:
        root = self.directory()
        authority, stranger = Authority(), Authority()
        mine = authority.issue("localhost").store(root, "server")
        client = authority.issue("a client").store(root, "client")
        (root / "ca.pem").write_bytes(authority.pem)
        (root / "stranger.pem").write_bytes(stranger.pem)
        server = RedisServer(
            **{
                "tls-cert-file": str(mine.cert),
                "tls-key-file": str(mine.key),
                "tls-ca-cert-file": str(root / "ca.pem"),
            }
        )
        self.servers.append(server)
        server.options |= {"tls-port": str(server.port), "port": "0"}
        server.start(is_awaited=False)
        own = f"&cert={client.cert}&key={client.key}"
        url = f"rediss://localhost:{server.port}"
        await self.is_away(self.link(f"{url}?ca={root / 'stranger.pem'}{own}"), "verify failed")
        wrong_name = f"rediss://127.0.0.1:{server.port}?ca={root / 'ca.pem'}{own}"
        await self.is_away(self.link(wrong_name), "VerificationError")
        link = self.link(f"{url}?ca={root / 'ca.pem'}{own}")
        await self.until(lambda: link.is_up)
        assert await link.call("PING") == b"PONG"
