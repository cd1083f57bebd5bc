"""A relay of several processes under those who manage processes: it is one to them."""

from __future__ import annotations

import os
import pwd
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.managers.installed import installed, me, until_gone, until_up
from tests.managers.test_supervisor import SUPERVISORD
from tests.managers.test_systemd import TWISTD, Manager, activated
from tests.managers.test_twistd import Daemon, is_free
from tests.ports import free_port
from tests.servers import RedisServer, until
from tests.stories.processes import BIN, DEADLINE, environment, running
from tests.tls.authority import Authority


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("n") / "notify")


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    made = Manager(address)
    yield made
    made.close()


def children(process: int) -> list[int]:
    """Those that it has started."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return list(map(int, found.split()))


def by(redis: RedisServer, workers: int = 2) -> dict[str, str]:
    return {"WSRELAY_REDIS": redis.url, "WSRELAY_WORKERS": str(workers)}


def test_systemd_hears_of_them_as_of_one(
    manager: Manager, address: str, redis: RedisServer, tmp_path: Path
) -> None:
    port = free_port()
    more = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000", **by(redis)}
    options = ("--host", "127.0.0.1", "--port", str(port))
    with running(*TWISTD, *options, cwd=tmp_path, **more) as relay:
        ready = manager.wait_for("READY=1")
        assert f"MAINPID={relay.id}" in ready  # and no worker has spoken before
        assert "STATUS=0 connections, 0 channels, 2 workers" in ready
        until_up(port)
        for child in children(relay.id):
            environ = Path(f"/proc/{child}/environ").read_text()
            assert not re.search("NOTIFY_SOCKET|WATCHDOG|LISTEN_", environ)
            said = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
            assert re.search(r"-P -m wsrelay\.workers [12] $", said)
        manager.wait_for("WATCHDOG=1")
        relay.send(signal.SIGHUP)
        assert re.search(r"MONOTONIC_USEC=\d+", manager.wait_for("RELOADING=1"))
        manager.wait_for("READY=1")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"GET /app/local-key?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            manager.wait_for("STATUS=1 connections, 0 channels, 2 workers")
        relay.send(signal.SIGTERM)
        assert "EXTEND_TIMEOUT_USEC=" in manager.wait_for("STOPPING=1")
        relay.end()
        assert "Traceback" not in relay.text


def test_while_no_worker_serves_there_is_no_sign_of_life(
    manager: Manager, address: str, redis: RedisServer, tmp_path: Path
) -> None:
    more = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000", **by(redis)}
    with running(*TWISTD, "--port", "0", cwd=tmp_path, **more) as relay:
        manager.wait_for("WATCHDOG=1")
        for _ in range(2):  # whoever dies twice is not replaced at once
            for child in children(relay.id):
                os.kill(child, signal.SIGKILL)
            said = r"worker {} \(process \d+\) was ended by SIGKILL; the next one is started {}"
            when = "at once" if not _ else "in 0.5 s"
            for number in (1, 2):
                relay.wait_for(said.format(number, when))
            if not _:
                until(lambda: len(children(relay.id)) == 2)
        manager.forget()
        assert manager.hears_nothing_for(0.3)
        manager.wait_for("WATCHDOG=1")  # they are back


def test_a_socket_of_systemd_is_theirs(
    manager: Manager, address: str, redis: RedisServer, tmp_path: Path
) -> None:
    port = free_port()
    more = {"NOTIFY_SOCKET": address, "WSRELAY_METRICS_PORT": "0", **by(redis)}
    with activated(port, tmp_path, *TWISTD, **more) as relay:
        assert until_up(port) < DEADLINE  # the first who connects starts it
        manager.wait_for("READY=1")
        relay.wait_for(rf"Listening on 127\.0\.0\.1:{port} for app")
        relay.send(signal.SIGTERM)
        for number in (1, 2):
            relay.wait_for(f"worker {number}: Stopping: 0 connections are told 4200, within 0 s")
        relay.end()
        assert "Traceback" not in relay.text


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path, free_port())
    yield made
    made.end()


def may_run(user: int) -> bool:
    """Whether this user may run the Python of these tests, as workers have to."""
    try:
        tried = subprocess.run([sys.executable, "-c", ""], user=user, capture_output=True)
    except OSError:
        return False
    return tried.returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root has privileges to give up")
def test_workers_of_a_daemon_have_what_only_root_could_open(
    daemon: Daemon, redis: RedisServer, tmp_path: Path
) -> None:
    nobody = pwd.getpwnam("nobody")
    if not may_run(nobody.pw_uid):
        pytest.skip("nobody may not run this Python")
    authority = Authority()
    files = authority.issue("localhost").store(tmp_path)
    Path(files.key).chmod(0o600)
    tls_port = next(port for port in range(1023, 600, -1) if is_free(port))
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    options = ("--tls-port", str(tls_port), "--tls-cert", files.cert, "--tls-key", files.key)
    options += ("--workers", "2", "--redis", redis.url)
    given_up = ("--uid", str(nobody.pw_uid), "--gid", str(nobody.pw_gid))
    assert daemon.start(*options, of_twistd=given_up) == (0, "")
    until_up(daemon.port)
    trusting = ssl.create_default_context(cadata=authority.pem.decode())

    def is_served() -> None:
        with (
            socket.create_connection(("127.0.0.1", tls_port), timeout=DEADLINE) as plain,
            trusting.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")

    for _ in range(10):
        is_served()
    before = children(daemon.process)
    assert len(before) == 2
    for child in before:
        assert (
            f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}" in Path(f"/proc/{child}/status").read_text()
        )
        os.kill(child, signal.SIGKILL)
    is_served()  # by those who take their places, with the key that they can't read
    after = children(daemon.process)
    assert not set(before) & set(after)
    parent = daemon.process
    os.kill(parent, signal.SIGTERM)
    for process in (parent, *after):
        until_gone(process)
    daemon.pid_file.unlink(missing_ok=True)  # which the user may not do
    assert "Traceback" not in daemon.log.read_text()


def test_supervisor_starts_and_stops_all_of_them(
    redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("s")
    port = free_port()
    places = {"user=wsrelay": f"user={me()}", "/var/log/supervisor": str(folder)}
    installed("supervisor.conf", folder, port, **places)
    file = folder / "wsrelay.toml"
    file.write_text(f'workers = 2\nredis = "{redis.url}"\n{file.read_text()}')
    main = folder / "supervisord.conf"
    main.write_text(SUPERVISORD.format(folder=folder, user=me()))

    def ctl(*command: str) -> str:
        done = subprocess.run(
            [BIN / "supervisorctl", "-c", main, *command],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE * 2,
        )
        return done.stdout + done.stderr

    with subprocess.Popen(
        [BIN / "supervisord", "--nodaemon", "-c", main],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as supervisor:
        try:
            until_up(port)
            first = int(ctl("pid", "wsrelay"))
            workers = children(first)
            assert len(workers) == 2
            os.kill(first, signal.SIGKILL)  # whoever is left behind must not hold the port
            for process in (first, *workers):
                until_gone(process)
            until_up(port)
            until(lambda: "RUNNING" in ctl("status", "wsrelay"))
            workers = children(int(ctl("pid", "wsrelay")))
            assert "wsrelay: stopped" in ctl("stop", "wsrelay")
            for process in workers:
                until_gone(process)
            assert "Traceback" not in (folder / "wsrelay.log").read_text()
        finally:
            supervisor.terminate()
            supervisor.wait(DEADLINE * 2)
