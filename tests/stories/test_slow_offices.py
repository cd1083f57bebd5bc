"""Somebody in an office stops reading while others walk about and talk; then he reads again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.ports import free_port
from tests.signing import APP, SECRET
from tests.stories.processes import running
from tests.stories.sockets import DEADLINE, Client, Crowd
from tests.websocket.frames import say

OFFICE = "presence-office"
#: Kept short by who does not read, so that less has to be sent before the server notices. Bytes.
RECEIVE_BUFFER = 4096
PADDING = "x" * 5000
#: Moves that the kernel, and the transport above it, may have taken before he read again.
MOST_AHEAD = (int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2]) + 1024 * 1024) // len(
    PADDING
)
CONFIGURATION = f"""\
host = "127.0.0.1"
port = 0

[[apps]]
id = "{APP.id}"
key = "{APP.key}"
secret = "{SECRET}"
client_event_rate = 0

[[apps.rules]]
channels = "*"
newest = {{ events = ["client-move"], rate = 1000 }}
"""


class Office:
    """Two who walk about, one who reads, and one who will not."""

    def __init__(self, port: int, metrics: str) -> None:
        self.crowd = Crowd(port)
        self._metrics = metrics
        self.sleeper = self.joined("sleeper", RECEIVE_BUFFER)
        self.reader = self.joined("reader")
        self.walkers = [self.joined(name) for name in ("ada", "bob")]
        self.everybody = [self.sleeper, self.reader, *self.walkers]
        self.moves = self.talk = 0
        self._all_heard = 0

    def joined(self, name: str, receive_buffer: int | None = None) -> Client:
        client = self.crowd.client(receive_buffer=receive_buffer)
        client.subscribe(OFFICE, name)
        client.next("pusher_internal:subscription_succeeded")
        return client

    def walk(self) -> None:
        """One step of both, that the reader has heard of before the next."""
        self.moves += 1
        for client in self.walkers:
            move = {"x": self.moves, "y": 0, "padding": PADDING}
            client.send(say("client-move", channel=OFFICE, data=move))
        self._heard()

    def say(self) -> None:
        self.talk += 1
        self.walkers[0].send(say("client-talk", channel=OFFICE, data=self.talk))
        self._heard()

    def _heard(self) -> None:
        expected = 2 * self.moves + self.talk
        count = 0

        def has_all() -> bool:
            nonlocal count
            count = sum(b'"client-' in message for message in self.reader.messages)
            return count == expected - self._all_heard

        self.crowd.look_until(has_all)
        self._all_heard += count
        self.reader.messages.clear()
        for walker in self.walkers:
            walker.messages.clear()

    @property
    def superseded(self) -> int:
        """Moves of which a newer one came while a slow reader kept them waiting."""
        with urlopen(self._metrics, timeout=DEADLINE) as page:
            found = re.search(
                rb'^wsrelay_superseded_total{where="reader"} (\d+)', page.read(), re.M
            )
        assert found is not None
        return int(found[1])


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    (tmp_path / "wsrelay.toml").write_text(CONFIGURATION)
    command = ("twistd", "--nodaemon", "--pidfile=", "wsrelay", "--config", "wsrelay.toml")
    metrics_port = str(free_port())
    with running(*command, cwd=tmp_path, WSRELAY_METRICS_PORT=metrics_port) as relay:
        found = Office(relay.port, relay.wait_for(r"Metrics at (http://\S+)")[1])
        yield found
        found.crowd.close()


def test_who_reads_again_gets_few_positions_the_newest_last_and_all_that_was_said(
    office: Office,
) -> None:
    crowd, sleeper = office.crowd, office.sleeper
    crowd.stop_reading(sleeper)
    while office.superseded < MOST_AHEAD:
        for _ in range(20):
            office.walk()
        office.say()
    office.walk()

    crowd.read(sleeper)
    crowd.look_until(lambda: bool(sleeper.messages) and _x(sleeper, -2) == office.moves)
    heard = [json.loads(message) for message in sleeper.messages]
    talk = [int(each["data"]) for each in heard if each["event"] == "client-talk"]
    assert talk == list(range(1, office.talk + 1))
    xs: dict[str, list[int]] = {"ada": [], "bob": []}
    for each in heard:
        if each["event"] == "client-move":
            xs[each["user_id"]].append(json.loads(each["data"])["x"])
    received = sum(map(len, xs.values()))
    # The metrics' page may be a moment old.
    crowd.look_until(lambda: received + office.superseded == 2 * office.moves)
    assert received < MOST_AHEAD
    for seen in xs.values():
        assert seen == sorted(seen)
        assert seen[-1] == office.moves
    assert heard[-3]["event"] == "client-talk"  # no move overtook what was said before it


def _x(client: Client, which: int) -> Any:
    message = json.loads(client.messages[which]) if len(client.messages) >= 2 else {}
    return json.loads(message["data"])["x"] if message.get("event") == "client-move" else None
