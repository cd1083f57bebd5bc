"""A hundred clients in a hall of a thousand stop reading, while somebody goes on publishing."""

from __future__ import annotations

import json
import re
import resource
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.ports import free_port
from tests.signing import APP, SECRET, event, signed_target
from tests.stories.processes import Process, running
from tests.stories.sockets import DEADLINE, Client, Crowd

READERS, SLEEPERS = 900, 100
#: Bytes that may wait for one of them: the least that can be configured.
MOST_WAITING = 64 * 1024
#: Bytes that wait besides: the frame of which the kernel took a part, and the one that is too much.
IN_TRANSPORT = 2 * 10 * 1024
#: Bytes for everything that a process grows by when it has more to do.
ELSE = 8 * 1024 * 1024
PADDING = "x" * 10_000
#: Kept short by the sleepers, so that less has to be sent before the server notices. Bytes.
RECEIVE_BUFFER = 4096

CONFIGURATION = f"""\
host = "127.0.0.1"
port = 0
max_waiting_bytes = {MOST_WAITING}

[[apps]]
id = "{APP.id}"
key = "{APP.key}"
secret = "{SECRET}"
"""

REASON = rf"closed \S+ \(4100 reads too slowly: more than {MOST_WAITING} bytes wait"


class Hall:
    """A relay, a crowd in one of its channels, and somebody who publishes there."""

    def __init__(self, relay: Process) -> None:
        self.relay = relay
        self.crowd = Crowd(relay.port)
        self.published = 0
        self._http = HTTPConnection("127.0.0.1", relay.port, timeout=DEADLINE)

    def joined(self, count: int, receive_buffer: int | None = None) -> list[Client]:
        clients = [self.crowd.client(receive_buffer=receive_buffer) for _ in range(count)]
        for client in clients:
            client.subscribe("hall")
        for client in clients:
            client.next("pusher_internal:subscription_succeeded")
        return clients

    def publish(self) -> None:
        """One event with its number, and some ten kilobytes."""
        self.published += 1
        body = event("hall", json.dumps({"number": self.published, "padding": PADDING}))
        self._http.request("POST", signed_target("POST", f"/apps/{APP.id}/events", body), body)
        response = self._http.getresponse()
        assert (response.status, response.read()) == (200, b"{}")

    def heard_by(self, readers: list[Client]) -> None:
        """Everybody has everything, once and in order; it is forgotten."""
        self.crowd.look_until(lambda: all(len(one.messages) == self.published for one in readers))
        expected = list(range(1, self.published + 1))
        for reader in readers:
            found = [int(re.findall(rb'number\\":\s*(\d+)', told)[0]) for told in reader.messages]
            assert found == expected
            reader.messages.clear()
        self.published = 0

    def publish_to(self, readers: list[Client], *, count: int) -> None:
        """Publish one after the other, each as soon as everybody has the one before."""
        for _ in range(count):
            self.publish()
            self.crowd.look_until(
                lambda: all(len(one.messages) == self.published for one in readers)
            )

    @property
    def slow_readers_closed(self) -> int:
        """What the metrics say."""
        address = self.relay.wait_for(r"Metrics at (http://\S+)")[1]
        with urlopen(address, timeout=DEADLINE) as page:
            found = re.search(rb"^wsrelay_slow_readers_closed_total (\d+)", page.read(), re.M)
        assert found is not None
        return int(found[1])

    def close(self) -> None:
        self._http.close()
        self.crowd.close()


@pytest.fixture
def _enough_descriptors() -> Iterator[None]:
    """For this process and those that it starts: a usual limit is 1024."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, most), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@pytest.fixture
def hall(tmp_path: Path, _enough_descriptors: None) -> Iterator[Hall]:
    (tmp_path / "wsrelay.toml").write_text(CONFIGURATION)
    command = ("twistd", "--nodaemon", "--pidfile=", "wsrelay", "--config", "wsrelay.toml")
    metrics_port = str(free_port())
    with running(*command, cwd=tmp_path, WSRELAY_METRICS_PORT=metrics_port) as relay:
        found = Hall(relay)
        yield found
        found.close()


def test_who_stops_reading_costs_bounded_memory_and_nobody_else_anything(hall: Hall) -> None:
    readers, sleepers = hall.joined(READERS), hall.joined(SLEEPERS, RECEIVE_BUFFER)
    everybody = [*readers, *sleepers]
    hall.publish_to(everybody, count=5)
    hall.heard_by(everybody)
    before = hall.relay.resident
    descriptors = hall.relay.descriptors
    for sleeper in sleepers:
        hall.crowd.stop_reading(sleeper)

    most = 0
    latest = time.monotonic() + 2 * DEADLINE
    while len(closed_for_it(hall.relay)) < SLEEPERS:
        assert time.monotonic() < latest, len(closed_for_it(hall.relay))
        hall.publish_to(readers, count=1)
        most = max(most, hall.relay.resident)
    hall.publish_to(readers, count=5)
    hall.heard_by(readers)
    assert most - before < SLEEPERS * (MOST_WAITING + IN_TRANSPORT) + ELSE

    assert hall.slow_readers_closed == SLEEPERS

    # Nobody else was closed, and none of the sleepers' connections is kept.
    assert all(reader.is_open for reader in readers)
    hall.crowd.look_until(lambda: hall.relay.descriptors == descriptors - SLEEPERS)
    assert len(re.findall(r" closed ", hall.relay.text)) == SLEEPERS


def closed_for_it(relay: Process) -> list[str]:
    return re.findall(REASON, relay.text)
