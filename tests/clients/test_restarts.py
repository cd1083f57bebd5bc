"""A restart as pusher-js lives through it: the next process listens while the old one stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.clients.listening import Report
from tests.clients.program import Program
from tests.clients.relay import OwnServer
from tests.clients.sdks import PusherJs, Unique, address

#: Seconds. Whom a closed port refuses is back after fifteen.
SOON = 5.0


@pytest.fixture
def old(tmp_path: Path) -> Iterator[OwnServer]:
    server = OwnServer(tmp_path, None, "--reuse-port", "--drain", "1")
    yield server
    server.stop()


def test_clients_are_back_at_once_and_subscribed_again(
    node_process: Callable[[], Program], old: OwnServer, tmp_path: Path, unique: Unique
) -> None:
    there = old.relay()
    news = unique("news")
    clients = [PusherJs(node_process(), name) for name in ("ada", "bob", "cyd")]
    for client in clients:
        client.connect("pusher-js", there.app.key, address(there))
        client.subscribe(news, "note")
    ids = [client.socket_id for client in clients]
    new = OwnServer(tmp_path, None, "--reuse-port", "--port", str(there.port))
    try:
        new.relay()
        began = time.monotonic()
        assert old.stop() == -SIGTERM
        for client in clients:
            client.hear("pusher:subscription_succeeded", news)
        assert time.monotonic() - began < 1 + SOON
        for client, before in zip(clients, ids, strict=True):
            assert client.socket_id != before
            assert set(client.states()) <= {"connecting", "connected"}
            assert {_code(error) for error in client.heard("error", source="error")} == {4200}
    finally:
        new.stop()
    assert "Traceback" not in old.text() + new.text()


def test_without_a_successor_they_are_told_4100(
    node_process: Callable[[], Program], old: OwnServer
) -> None:
    there = old.relay()
    ada = PusherJs(node_process(), "ada")
    ada.connect("pusher-js", there.app.key, address(there))
    ada.expect("connected", source="state")
    old.stop()
    assert _code(ada.expect("error", source="error")) == 4100
    ada.expect("connecting", source="state")


def _code(error: Report) -> int:
    data = error.data
    code = data.get("error", data)["data"]["code"]
    assert isinstance(code, int)
    return code
