"""A reload of the real ``twistd`` by SIGHUP, while clients are connected and whispering."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.signing import channel_auth
from tests.stories.processes import DEADLINE, Process, running

NOWHERE = ("--nodaemon", "--pidfile=")
ROOM = "private-room"
APP = '[[apps]]\nid = "1001"\nkey = "a-key"\nsecret = "a-secret"\nclient_event_rate = 0\n'
OTHER = '[[apps]]\nid = "2002"\nkey = "other-key"\nsecret = "other-secret"\n'


@contextmanager
def guest(port: int, key: str = "a-key", room: str | None = ROOM) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{port}/app/{key}?protocol=7", close_timeout=1) as connection:
        established = hear(connection, "pusher:connection_established")
        if room is not None:
            auth = channel_auth(json.loads(established["data"])["socket_id"], room)
            say(connection, "pusher:subscribe", data={"channel": room, "auth": auth})
            hear(connection, "pusher_internal:subscription_succeeded")
        yield connection


def say(connection: ClientConnection, event: str, **rest: Any) -> None:
    connection.send(json.dumps({"event": event, **rest}))


def hear(connection: ClientConnection, event: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(connection.recv(DEADLINE))
    assert message["event"] == event, message
    return message


class Chatting:
    """Two clients, one of whom whispers without end; the other counts what arrives."""

    def __init__(self, talker: ClientConnection, listener: ClientConnection) -> None:
        self._talker, self._listener = talker, listener
        self._changed = threading.Condition()
        self._is_over = False
        self.heard = 0
        self.fault: BaseException | None = None
        self._thread = threading.Thread(target=self._chat, daemon=True)
        self._thread.start()

    def _chat(self) -> None:
        try:
            while not self._is_over:
                number = self.heard
                say(self._talker, "client-count", channel=ROOM, data=number)
                message = hear(self._listener, "client-count")
                assert message["data"] == str(number), "in order, and none is missing"
                with self._changed:
                    self.heard += 1
                    self._changed.notify_all()
        except BaseException as fault:
            with self._changed:
                self.fault = fault
                self._changed.notify_all()

    def goes_on(self) -> None:
        """Whispers that are sent from now on arrive."""
        with self._changed:
            before = self.heard
            assert self._changed.wait_for(
                lambda: self.heard > before + 10 or self.fault is not None, DEADLINE
            )
        assert self.fault is None, self.fault

    def end(self) -> None:
        self._is_over = True
        self._thread.join(DEADLINE)
        assert self.fault is None, self.fault


@contextmanager
def chatting(port: int) -> Iterator[Chatting]:
    with guest(port) as talker, guest(port) as listener:
        chat = Chatting(talker, listener)
        chat.goes_on()
        yield chat
        chat.goes_on()
        chat.end()


def reload(relay: Process, until: str) -> str:
    """Send SIGHUP, and wait for the line in which that ends."""
    before = len(relay.lines)
    relay._popen.send_signal(signal.SIGHUP)
    return relay.wait_for(until, after=before).string


def test_apps_come_change_and_go_while_clients_whisper_and_a_broken_file_changes_nothing(
    tmp_path: Path,
) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text("port = 0\n" + APP)
    with (
        running("twistd", *NOWHERE, "wsrelay", "--config", "wsrelay.toml", cwd=tmp_path) as relay,
        chatting(relay.port) as chat,
    ):
        port = relay.port
        file.write_text("port = 0\n" + APP + OTHER)
        reload(relay, "Reload: done")
        with guest(port, "other-key", None) as leaver:
            chat.goes_on()

            file.write_text("port = 0\nprot = 1\n" + APP)
            line = reload(relay, "Reload: .*nothing was changed")
            assert f"{file}: prot: unknown key" in line
            file.write_text("port = 0\n" + APP + OTHER.replace('"other-key"', ""))
            line = reload(relay, "Reload: .*nothing was changed")
            assert f"{file}: not TOML: " in line
            assert "line 9, column 7" in line
            with guest(port, "other-key", None):
                chat.goes_on()

            file.write_text("port = 0\n" + APP)
            reload(relay, r"Reload: gone app: 2002 \(1 connections closed\)")
            hear(leaver, "pusher:error")
            with pytest.raises(ConnectionClosed) as closed:
                leaver.recv(DEADLINE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4001

        file.write_text("port = 6001\n" + APP.replace("a-secret", "new-secret"))
        reload(relay, "Reload: port changed and will count after a restart")
        with guest(port, room=None) as late:
            say(late, "pusher:subscribe", data={"channel": ROOM, "auth": f"a-key:{'0' * 64}"})
            hear(late, "pusher:subscription_error")
        for secret in ("a-secret", "other-secret", "new-secret"):
            assert secret not in relay.text
        assert "Traceback" not in relay.text


def test_the_env_of_laravel_is_read_again_too(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    lines = "PUSHER_APP_ID=1001\nPUSHER_APP_KEY=a-key\nPUSHER_APP_SECRET=a-secret\nPUSHER_PORT=0\n"
    file.write_text(lines)
    with (
        running(
            *("twist", "--log-format", "text", "wsrelay"),
            *("--laravel-env", ".env", "--client-event-rate", "0"),
            cwd=tmp_path,
        ) as relay,
        chatting(relay.port) as chat,
    ):
        file.write_text(lines + "PUSHER_APP_SECRET=\n")
        line = reload(relay, "Reload: .*nothing was changed")
        assert f"{file}: PUSHER_APP_SECRET: missing" in line
        chat.goes_on()
        file.write_text(lines.replace("a-key", "new-key"))
        reload(relay, "Reload: done")
        with guest(relay.port, "new-key", None):
            chat.goes_on()


def test_a_daemon_that_lives_elsewhere_finds_its_file_again(tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text("port = 0\n" + APP)
    home = tmp_path / "home"
    home.mkdir()
    command = ("twistd", *NOWHERE, f"--rundir={home}", "wsrelay", "--config", "wsrelay.toml")
    with running(*command, cwd=tmp_path) as relay:
        with socket.create_connection(("127.0.0.1", relay.port), timeout=DEADLINE):
            pass
        file.write_text("port = 0\n" + APP + OTHER)
        reload(relay, "Reload: new app: 2002")
