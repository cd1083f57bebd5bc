"""TLS of the real ``twistd`` and ``twist``: how it is asked for, renewed, and refused."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.loopback import request
from tests.memory import handshake
from tests.stories.processes import BIN, DEADLINE, Process, environment, run, running
from tests.tls.authority import Authority, new_key, pem_of
from tests.tls.handshake import client_context, show_certificate
from tests.websocket.frames import PING, PONG, Sent, frame, read_frames

ROOT = Authority()
NAME = "relay.example"
NOWHERE = ("--nodaemon", "--pidfile=")
TWIST = ("twist", "--log-format", "text")
#: The development app's.
KEY = "local-key"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    files = ROOT.issue(NAME).store(tmp_path)
    return files.cert, files.key


def tls_port(relay: Process) -> int:
    return int(relay.wait_for(r"Listening on .*?:(\d+) \(TLS\)")[1])


@contextmanager
def connected(
    port: int, context: ssl.SSLContext | None = None, name: str = NAME
) -> Iterator[ssl.SSLSocket]:
    """A connection, encrypted and looked through by Python's ``ssl``."""
    context = client_context(ROOT) if context is None else context
    with (
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as tcp,
        context.wrap_socket(tcp, server_hostname=name) as tls,
    ):
        yield tls


def until(connection: socket.socket, end: bytes) -> bytes:
    come = b""
    while not come.endswith(end):
        more = connection.recv(65536)
        assert more, come
        come += more
    return come


def is_up(connection: socket.socket) -> bool:
    connection.sendall(request("GET", "/up"))
    return until(connection, b'{"health":"OK"}').startswith(b"HTTP/1.1 200 ")


def visit(connection: socket.socket) -> None:
    """Shake hands as a WebSocket, and wait for the welcome."""
    connection.sendall(handshake(KEY))
    assert until(connection, b'activity_timeout\\":120}"}').startswith(b"HTTP/1.1 101 ")


def is_alive(connection: socket.socket) -> bool:
    connection.sendall(frame(b"still here?", PING))
    return read_frames(until(connection, b"still here?")) == [Sent(PONG, b"still here?")]


def serial(connection: ssl.SSLSocket) -> int:
    shown = connection.getpeercert()
    assert shown is not None
    return int(str(shown["serialNumber"]), 16)


# -- how it is asked for -----------------------------------------------------------------------


@pytest.mark.parametrize("command", [("twistd", *NOWHERE), TWIST])
def test_three_options_are_enough(
    command: tuple[str, ...], pair: tuple[str, str], tmp_path: Path
) -> None:
    options = ("--port", "0", "--tls-port", "0", "--tls-cert", pair[0], "--tls-key", pair[1])
    with running(*command, "wsrelay", *options, cwd=tmp_path) as relay:
        with connected(tls_port(relay)) as connection:
            assert is_up(connection)
        with connected(tls_port(relay)) as connection:
            visit(connection)
            assert is_alive(connection)
        with socket.create_connection(("127.0.0.1", relay.port), timeout=DEADLINE) as plain:
            assert is_up(plain)
        relay.end()
        assert "Traceback" not in relay.text


def test_the_environment_may_ask_for_it_and_the_plain_port_may_give_way(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    said = {"WSRELAY_PORT": port, "WSRELAY_TLS_PORT": port}
    said |= {"WSRELAY_TLS_CERT": pair[0], "WSRELAY_TLS_KEY": pair[1]}
    with running("twistd", *NOWHERE, "wsrelay", cwd=tmp_path, **said) as relay:
        line = relay.wait_for("Listening on .*").group()
        assert (
            re.findall(r"[\d\]]:(\d+)( \(TLS\))?", line.split(" for ")[0]) == [(port, " (TLS)")] * 2
        )
        assert f"PUSHER_PORT={port} PUSHER_SCHEME=https" in relay.wait_for("PUSHER_PORT").string
        with connected(int(port)) as connection:
            assert is_up(connection)


def test_a_file_may_have_several_listeners_each_with_its_ways(tmp_path: Path) -> None:
    one = ROOT.issue("one.example").store(tmp_path, "one")
    two = ROOT.issue("*.two.example").store(tmp_path, "two")
    clients = Authority("Clients")
    (tmp_path / "clients.pem").write_bytes(clients.pem)
    (tmp_path / "wsrelay.toml").write_text(
        f"""
        listen = ["unix:{tmp_path}/plain"]
        [[tls]]
        port = 0
        minimum_version = "1.3"
        certificates = [
            {{ cert = "{one.cert}", key = "{one.key}" }},
            {{ cert = "{two.cert}", key = "{two.key}" }},
        ]
        [[tls]]
        listen = ["tcp:0:interface=127.0.0.1"]
        certificates = [{{ cert = "{one.cert}", key = "{one.key}" }}]
        client_ca = "{tmp_path}/clients.pem"
        [[apps]]
        id = "1"
        key = "{KEY}"
        secret = "hush"
        """
    )
    with running("twistd", *NOWHERE, "wsrelay", "-c", "wsrelay.toml", cwd=tmp_path) as relay:
        line = relay.wait_for("Listening on .*").group()
        assert f"{tmp_path}/plain and " in line
        first, second = map(int, re.findall(r":(\d+) \(TLS\)", line))
        for name in ("one.example", "www.two.example"):
            with connected(first, name=name) as connection:
                assert connection.version() == "TLSv1.3"
                assert is_up(connection)
        with (
            pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
            connected(second, name="one.example") as connection,
        ):
            is_up(connection)
        known = client_context(ROOT)
        show_certificate(known, clients.issue("a client"), tmp_path)
        with connected(second, known, "one.example") as connection:
            visit(connection)
            assert is_alive(connection)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its privileges")
def test_the_key_is_read_before_privileges_are_dropped_and_that_renewal_needs_them_is_said(
    tmp_path: Path,
) -> None:
    files = ROOT.issue(NAME).store(tmp_path)
    options = ("--port", "0", "--tls-port", "0", "--tls-cert", files.cert, "--tls-key", files.key)
    uid = ("--uid", "nobody", "--gid", "nogroup", "--rundir", "/")
    with running("twistd", *NOWHERE, *uid, "wsrelay", *options, cwd=tmp_path) as relay:
        port = tls_port(relay)
        with connected(port) as connection:
            assert is_up(connection)
        assert Path(f"/proc/{relay._popen.pid}").stat().st_uid != 0
        told = relay.wait_for("may not be read").string
        assert "wsrelay#error" in told
        assert "by the user with uid 65534; what was read before stays in use" in told


# -- renewal -----------------------------------------------------------------------------------


def test_at_sighup_the_new_certificate_is_shown_and_no_connection_lost(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    options = ("--port", "0", "--tls-port", "0", "--tls-cert", pair[0], "--tls-key", pair[1])
    with running("twistd", *NOWHERE, "wsrelay", *options, cwd=tmp_path) as relay:
        port = tls_port(relay)
        with connected(port) as stayed:
            visit(stayed)
            new = ROOT.issue(NAME, days=77)
            new.store(tmp_path)
            relay._popen.send_signal(signal.SIGHUP)
            relay.wait_for(f"good until {new.certificate.not_valid_after_utc:%Y-%m-%d}")
            with connected(port) as connection:
                assert serial(connection) == new.serial != serial(stayed)
                assert is_up(connection)
            assert is_alive(stayed)

            Path(pair[1]).write_bytes(pem_of(new_key()))
            relay._popen.send_signal(signal.SIGHUP)
            relay.wait_for("wsrelay#error.* TLS: .*key.pem: not the key of .* stays in use")
            with connected(port) as connection:
                assert serial(connection) == new.serial
                assert is_up(connection)
            assert is_alive(stayed)
        relay.end()
        assert "Traceback" not in relay.text


def test_it_ends_with_the_terminal_in_which_it_was_started(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", BIN / "twistd", *NOWHERE, "wsrelay", "--port", "0"]
    relay = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        said = b""
        while b"PUSHER_SCHEME" not in said:
            said += os.read(ours, 65536)
        os.close(ours)
        assert relay.wait(DEADLINE) == 0, "stopped in order, and not by the signal"
    finally:
        relay.kill()
        relay.wait()


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [("twistd", *NOWHERE), ("twistd",)])
def test_a_faulty_file_ends_the_start_with_one_line_and_status_1(
    how: tuple[str, ...], pair: tuple[str, str], tmp_path: Path
) -> None:
    shutil.copy(pair[0], tmp_path / "swapped.pem")
    options = ("--port", "0", "--tls-port", "0", "--tls-cert", pair[0])
    tried = run(*how, "wsrelay", *options, "--tls-key", f"{tmp_path}/swapped.pem", cwd=tmp_path)
    assert tried.returncode == 1
    said = tried.stdout + tried.stderr
    assert f"wsrelay: tls: {tmp_path}/swapped.pem: no private key in it" in said
    assert "Traceback" not in said
    assert "Listening" not in said
    assert not (tmp_path / "twistd.pid").exists()


def test_half_a_pair_ends_the_start_with_the_other_half(tmp_path: Path) -> None:
    tried = run("twistd", *NOWHERE, "wsrelay", "--tls-cert", "cert.pem", cwd=tmp_path)
    assert tried.returncode == 1
    assert "wsrelay: tls_key: missing, TLS needs a certificate and its key" in tried.stderr


def test_a_taken_tls_port_closes_the_plain_one_and_says_which(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ("--port", "0", "--tls-port", port, "--tls-cert", pair[0], "--tls-key", pair[1])
        tried = run("twistd", *NOWHERE, "wsrelay", *options, cwd=tmp_path)
    assert tried.returncode == 1
    assert f"port {port} is taken" in tried.stdout + tried.stderr
    assert "Traceback" not in tried.stdout + tried.stderr
