"""The office's command and its backend, without a browser."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.clients.packages import tool
from tests.office.conftest import RUN, Office

CONFIGURATION = (RUN.parent / "wsrelay.toml").read_text()
TURN = 'turn = { urls = ["turn:turn.example.org:3478"], secret = "north", ttl = 600 }\n'


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One whose rule names a TURN server."""
    tool("npm")
    home: Path = tmp_path_factory.mktemp("office")
    configuration = home / "office.toml"
    configuration.write_text(CONFIGURATION + TURN)
    with closing(Office(home, OFFICE_CONFIG=str(configuration))) as office:
        yield office
    assert "Traceback" not in office.log, office.log


def refusal(office: Office, path: str, body: bytes | None = None) -> int:
    with pytest.raises(HTTPError) as refused:
        urlopen(office.address + path, body, timeout=20)
    refused.value.close()
    return refused.value.code


def test_members_get_credentials_of_the_turn_server_that_the_rule_names(office: Office) -> None:
    with urlopen(f"{office.address}/ice?user_id=ada", timeout=20) as answer:
        [server] = json.load(answer)["iceServers"]
    assert server["urls"] == ["turn:turn.example.org:3478"]
    assert server["username"].endswith(":ada")


@pytest.mark.parametrize("path", ["/../office.py", "/npm/../office.py", "/npm/%2e%2e/wsrelay.toml"])
def test_the_site_serves_nothing_but_the_page_and_what_it_loads(office: Office, path: str) -> None:
    assert refusal(office, path) == 404


def test_a_long_request_is_refused(office: Office) -> None:
    body = urlencode({"name": "a" * 5000}).encode()
    assert refusal(office, "/broadcasting/auth", body) == 413


@pytest.mark.parametrize(
    ("socket_id", "channel"),
    [
        ("1.1", "private-cellar"),
        ("1.1", "presence-office.cellar"),
        ("POST\n/apps/1/events\n", "presence-office.plain"),
    ],
)
def test_no_text_is_signed_but_admissions_to_a_room(
    office: Office, socket_id: str, channel: str
) -> None:
    asked = {"socket_id": socket_id, "channel_name": channel, "user_id": "ada", "name": "Ada"}
    assert refusal(office, "/broadcasting/auth", urlencode(asked).encode()) == 403


def test_ctrl_c_ends_the_office_and_its_relay(tmp_path: Path) -> None:
    tool("npm")
    office = Office(tmp_path)
    assert office.close() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", office.relay_port), 20).close()
    assert "Traceback" not in office.log
