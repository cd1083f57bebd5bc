"""The samples of ``etc/`` in use: a real relay behind a real proxy, and visitors who come by it.

Only ports and paths are put in; what the sample says of ``wsrelay.toml`` is what the relay runs
with.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.loopback import request
from tests.memory import handshake
from tests.signing import APP, channel_auth, signed_target
from tests.stories.processes import DEADLINE, Process, running
from tests.tls.authority import Authority
from tests.tls.handshake import client_context
from tests.websocket.frames import say

ETC = Path(__file__).parents[2] / "etc"
ROOT = Authority()
NAME = "relay.example"
#: Connections of one address that the relay admits.
MOST = 500

SETTINGS = f"""\
port = 0
log_format = "text"
max_connections_per_ip = {MOST}
path_prefix = "%s"
"""
APPS = f"""
[[apps]]
id = "{APP.id}"
key = "{APP.key}"
secret = "a-secret"
"""


def command(name: str) -> str:
    """A daemon's path, which need not be in everybody's PATH."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert found is not None, f"{name} is not installed: apt-get install {name}"
    return found


def sample(name: str) -> str:
    return (ETC / name).read_text()


def advised_settings(text: str) -> str:
    """The lines that a sample's comment has for ``wsrelay.toml``."""
    return "\n".join(re.findall(r"^#     (.*)$", text, re.MULTILINE))


def with_changes(text: str, **changes: str) -> str:
    """The text with each of these exchanged wherever it stands; it has to stand somewhere."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def relay_for(text: str, directory: Path, path_prefix: str = "") -> Iterator[Process]:
    """A relay with the settings that the sample advises."""
    pair = ROOT.issue(NAME).store(directory)
    settings = (
        SETTINGS % path_prefix
        + advised_settings(text)
        .replace("/etc/wsrelay/fullchain.pem", pair.cert)
        .replace("/etc/wsrelay/privkey.pem", pair.key)
        .replace("port = 6443", "port = 0")
        + APPS
    )
    file = directory / "wsrelay.toml"
    file.write_text(settings)
    options = ("--nodaemon", "--pidfile=", "wsrelay", "--config", str(file))
    with running("twistd", *options, cwd=directory) as relay:
        relay.wait_for("Listening on")
        yield relay


def wait_until(is_so: Callable[[], bool], proxy: Process) -> None:
    ends = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < ends, proxy.text
        time.sleep(0.01)


@dataclass
class Visitor:
    """A WebSocket over TLS, from an address of one's own (all of 127.0.0.0/8 is this machine)."""

    connection: ssl.SSLSocket
    come: bytes = b""

    def until(self, *ends: bytes) -> bytes:
        """All up to one of these."""
        while not any(end in self.come for end in ends):
            more = self.connection.recv(65536)
            assert more, self.come
            self.come += more
        come, self.come = self.come, b""
        return come

    @property
    def socket_id(self) -> str:
        told = self.until(b"activity_timeout")
        found = re.search(rb'socket_id\\":\\"([\d.]+)', told)
        assert found is not None, told
        return found[1].decode()

    def join(self, channel: str) -> None:
        data = {"channel": channel, "auth": channel_auth(self.socket_id, channel)}
        self.connection.sendall(say("pusher:subscribe", data=data))
        self.until(b"subscription_succeeded")

    def whisper(self, channel: str, data: str) -> None:
        self.connection.sendall(say("client-told", channel=channel, data=data))


@dataclass
class Street:
    """What leads to the relay: a port of the proxy at which TLS is spoken."""

    port: int
    path_prefix: str = ""

    def __post_init__(self) -> None:
        self._context = client_context(ROOT)
        self._open: list[ssl.SSLSocket] = []

    def connect(self, address: str = "127.0.0.2") -> ssl.SSLSocket:
        tcp = socket.create_connection(
            ("127.0.0.1", self.port), timeout=DEADLINE, source_address=(address, 0)
        )
        connection = self._context.wrap_socket(tcp, server_hostname=NAME)
        self._open.append(connection)
        return connection

    def visitor(self, address: str = "127.0.0.2", headers: bytes = b"") -> Visitor:
        connection = self.connect(address)
        head = handshake(headers=headers).replace(b"GET ", b"GET " + self.path_prefix.encode())
        connection.sendall(head)
        return Visitor(connection)

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The answer to a signed request."""
        target = signed_target(method, self.path_prefix + path, body)
        with self.connect("127.0.0.4") as connection:
            connection.sendall(request(method, target, body, Connection="close"))
            come = b""
            while more := connection.recv(65536):
                come += more
            return come

    def __enter__(self) -> Street:
        return self

    def __exit__(self, *exception: object) -> None:
        for connection in self._open:
            connection.close()

    def is_open(self) -> bool:
        try:
            return self.ask("GET", f"/apps/{APP.id}/channels").startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False


def prove(street: Street, relay: Process) -> None:
    """Everything that a relay is for, by way of a proxy."""
    headers = b"X-Forwarded-For: 192.0.2.66\r\n"  # what a client says itself
    ada, bob = street.visitor("127.0.0.2", headers), street.visitor("127.0.0.3", headers)
    ada.join("private-room")
    bob.join("private-room")
    assert relay.wait_for(rf"app {APP.id}: 127\.0\.0\.2(:\d+)? opened")
    assert relay.wait_for(rf"app {APP.id}: 127\.0\.0\.3(:\d+)? opened")
    assert "192.0.2.66" not in relay.text

    bob.whisper("private-room", "can you hear me?")
    assert b'"client-told"' in ada.until(b"can you hear me?")
    body = json.dumps({"name": "told", "channel": "private-room", "data": "by http"}).encode()
    assert b"{}" in street.ask("POST", f"/apps/{APP.id}/events", body)
    for each in (ada, bob):
        assert b'"told"' in each.until(b"by http")

    crowd = [street.visitor("127.0.0.2") for _ in range(MOST - 1)]
    assert all(visitor.socket_id for visitor in crowd)
    refused = street.visitor("127.0.0.2").until(b"max_connections_per_ip")
    assert b"4100" in refused
    assert street.visitor("127.0.0.3").socket_id
    bob.whisper("private-room", "a crowd!")
    assert b'"client-told"' in ada.until(b"a crowd!")
    crowd[0].connection.close()
    relay.wait_for(rf"app {APP.id}: 127\.0\.0\.2(:\d+)? closed")
    assert street.visitor("127.0.0.2").socket_id
    assert "Traceback" not in relay.text
