"""A Redis without a socket: every command, reply and message moves on when the test says so.

Each node has two connections, as ``link`` has. What is sent on one of them arrives in its order,
and Redis does one thing after the other; between connections anything may come first. The steps
of ``channel.lua`` that presence, interest and rules need are told here once more, in Python.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from wsrelay.cluster.redis.channels import CHANNEL, NODES
from wsrelay.cluster.redis.wire import Unreachable

Doing = Callable[[], None]


class ChannelKeys:
    """What stands in Redis about one channel."""

    def __init__(self) -> None:
        self.nodes: dict[str, int] = {}
        self.alone = ""
        #: By user, his connections: node, socket, info, version.
        self.users: dict[str, list[tuple[str, str, bytes, int]]] = {}
        self.changed = 0


class Exchange:
    """What all nodes are connected to."""

    def __init__(self) -> None:
        self.links: list[MemoryLink] = []
        self.sets: dict[str, set[str]] = defaultdict(set)
        self.hashes: dict[Any, dict[str, int]] = defaultdict(dict)
        self.channels: dict[bytes, ChannelKeys] = defaultdict(ChannelKeys)
        self._versions = count(1)

    # -- moving on -------------------------------------------------------------------------

    def _queues(self) -> list[deque[Doing]]:
        queues = [queue for link in self.links for queue in (link.out, link.heard, link.replies)]
        return [queue for queue in queues if queue]

    def step(self, which: int) -> None:
        """The first thing of one of the queues that are not empty happens."""
        queues = self._queues()
        if queues:
            queues[which % len(queues)].popleft()()

    def run(self) -> bool:
        """Until nothing is on its way; whether anything was."""
        was_any = False
        while queues := self._queues():
            was_any = True
            queues[0].popleft()()
        return was_any

    # -- commands --------------------------------------------------------------------------

    def do(self, command: tuple[Any, ...]) -> Any:
        name, *arguments = command
        return getattr(self, f"do_{name.lower()}")(*arguments)

    def do_publish(self, channel: bytes, message: bytes) -> None:
        for link in self.links:
            if channel in link.subscribed:
                link.heard.append(lambda link=link: link.on_message(channel, message))

    def do_sadd(self, key: str, value: str) -> None:
        self.sets[key].add(value)

    def do_srem(self, key: str, value: str) -> None:
        self.sets[key].discard(value)

    def do_smembers(self, key: str) -> list[bytes]:
        return [value.encode() for value in sorted(self.sets[key])]

    def do_zadd(self, *arguments: Any) -> None:
        """Leases do not run out here."""

    def do_del(self, key: str) -> None:
        self.sets.pop(key, None)

    def do_hset(self, key: str, field: str, value: int) -> None:
        self.hashes[key][field] = value

    def do_hdel(self, key: str, field: str) -> None:
        self.hashes[key].pop(field, None)

    def do_hgetall(self, key: str) -> list[bytes]:
        return [str(each).encode() for pair in self.hashes[key].items() for each in pair]

    def do_hkeys(self, key: bytes) -> list[bytes]:
        return [node.encode() for node in self.channels[key.removesuffix(b"n")].nodes]

    def do_evalsha(self, sha: str, _: int, key: Any, step: str, *arguments: Any) -> Any:
        if sha == NODES.sha:
            return [1]
        assert sha == CHANNEL.sha
        _, node, _, _, _, *rest = arguments
        return getattr(self, f"channel_{step}")(key, self.channels[key], node, *rest)

    # -- channel.lua -----------------------------------------------------------------------

    def _say(self, key: bytes, *what: Any) -> None:
        self.do_publish(key, msgspec.msgpack.encode(what))

    def channel_attend(self, key: bytes, keys: ChannelKeys, node: str) -> list[Any]:
        keys.nodes.setdefault(node, 0)
        version = next(self._versions)
        if len(keys.nodes) == 1:
            keys.alone = node
            return [version, 0, 0]
        must_wait = keys.alone not in ("", node)
        if must_wait:
            self._say(key, "i", version)
        return [version, len(keys.nodes) - 1, int(must_wait)]

    def channel_know(self, key: bytes, keys: ChannelKeys, node: str) -> None:
        if keys.alone == node:
            keys.alone = ""
        self._say(key, "k", next(self._versions))

    def channel_settle_alone(self, key: bytes, keys: ChannelKeys, node: str) -> Any:
        if list(keys.nodes) == [node]:
            keys.alone = node
            return next(self._versions)
        return b""

    def channel_forget(self, key: bytes, keys: ChannelKeys, node: str) -> list[Any]:
        keys.nodes.pop(node, None)
        if keys.alone == node:
            keys.alone = ""
        if len(keys.nodes) == 1:
            self._say(key, "l", next(self._versions))
        return [0, b"", b""]

    def channel_count(self, key: bytes, keys: ChannelKeys, node: str, many: int) -> list[Any]:
        return [0, b"", b""]

    def channel_members(self, key: bytes, keys: ChannelKeys, node: str) -> list[Any]:
        found: list[Any] = [keys.changed]
        for user, ((_, _, info, version), *_) in keys.users.items():
            found += [user.encode(), info, version]
        return found

    def channel_join(
        self,
        key: bytes,
        keys: ChannelKeys,
        node: str,
        socket_id: str,
        user: str,
        info: bytes,
        most: int,
        wants: str,
    ) -> list[Any]:
        connections = keys.users.get(user)
        if connections is None:
            version = keys.changed = next(self._versions)
            keys.users[user] = [(node, socket_id, info, version)]
            self._say(key, "+", version, user, info.decode(), socket_id)
        elif (node, socket_id) not in [each[:2] for each in connections]:
            connections.append((node, socket_id, info, connections[0][3]))
        return [0, keys.changed, self.channel_members(key, keys, node) if wants else None]

    def _part(
        self, key: bytes, keys: ChannelKeys, user: str, is_gone: Callable[[Any], bool]
    ) -> None:
        connections = keys.users[user]
        kept = [each for each in connections if not is_gone(each)]
        if kept:
            keys.users[user] = kept
        else:
            del keys.users[user]
            keys.changed = next(self._versions)
            self._say(key, "-", keys.changed, user)

    def channel_leave(
        self, key: bytes, keys: ChannelKeys, node: str, socket_id: str, user: str
    ) -> list[bytes]:
        if user in keys.users:
            self._part(key, keys, user, lambda each: each[:2] == (node, socket_id))
        return []

    def channel_sweep(self, key: bytes, keys: ChannelKeys, node: str, gone: str) -> list[Any]:
        for user in list(keys.users):
            self._part(key, keys, user, lambda each: each[0] == gone)
        was_there = gone in keys.nodes
        found = self.channel_forget(key, keys, gone)
        if was_there:
            self._say(key, "d", next(self._versions), gone)
        return [found, []]


class MemoryLink:
    """In place of ``link.Link``."""

    publishing = "PUBLISH"
    reason = "not connected yet"
    is_full = False

    def __init__(
        self, exchange: Exchange, reactor: Any, address: Any, endpoint: Any, **hears: Any
    ) -> None:
        self._exchange = exchange
        exchange.links.append(self)
        self._on_up, self._on_down = hears["on_up"], hears["on_down"]
        self.on_message = hears["on_message"]
        self.is_up = False
        self.subscribed: set[bytes] = set()
        self._unanswered: list[Deferred[Any]] = []
        #: Commands, what comes on the connection that listens, and replies.
        self.out: deque[Doing] = deque()
        self.heard: deque[Doing] = deque()
        self.replies: deque[Doing] = deque()

    def start(self) -> None:
        self.is_up = True
        self._on_up()

    def lose(self) -> None:
        """The connections are gone, with all that is on its way."""
        self.is_up, self.reason = False, "lost"
        for queue in (self.out, self.heard, self.replies):
            queue.clear()
        self.subscribed.clear()
        unanswered, self._unanswered = self._unanswered, []
        self._on_down("lost")
        for each in unanswered:
            each.errback(Unreachable("lost"))

    def stop(self) -> None:
        if self.is_up:
            self.lose()

    def call(self, *command: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        if not self.is_up:
            answer.errback(Unreachable(self.reason))
            return answer
        self._unanswered.append(answer)

        def do() -> None:
            try:
                reply = self._exchange.do(command)
            except Unreachable as error:
                reply = Failure(error)
            self.replies.append(lambda: self._answer(answer, reply))

        self.out.append(do)
        return answer

    def _answer(self, answer: Deferred[Any], reply: Any) -> None:
        self._unanswered.remove(answer)
        answer.callback(reply)  # a Failure, where it failed

    def run(self, script: Any, *arguments: Any) -> Deferred[Any]:
        return self.call("EVALSHA", script.sha, 1, *arguments)

    def tell(self, *command: Any) -> None:
        if self.is_up:
            self.out.append(lambda: self._exchange.do(command))

    def publish(self, channel: bytes, message: bytes) -> bool:
        self.tell("PUBLISH", channel, message)
        return self.is_up

    def subscribe(self, channel: bytes) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        if not self.is_up:
            answer.errback(Unreachable(self.reason))
            return answer
        self._unanswered.append(answer)

        def do() -> None:
            self.subscribed.add(channel)
            self.heard.append(lambda: self._answer(answer, None))

        self.out.append(do)
        return answer

    def unsubscribe(self, channel: bytes) -> None:
        self.out.append(lambda: self.subscribed.discard(channel))
