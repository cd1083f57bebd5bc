"""How the relay is started, by the real ``twistd`` and ``twist``, and what it says then."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.stories.processes import DEADLINE, run, running

SECRET = "hush-7f3a91b20c64de"
APP = f"1001:app-key:{SECRET}"
#: Twisted (26.10) ends itself by the signal that stopped it, when everything is done.
ENDED_BY_SIGTERM = -signal.SIGTERM
NOWHERE = ("--nodaemon", "--pidfile=")


def health(port: int, host: str = "127.0.0.1") -> bytes:
    with urllib.request.urlopen(f"http://{host}:{port}/up", timeout=DEADLINE) as answer:
        body: bytes = answer.read()
        return body


def addresses_of_this_machine() -> list[str]:
    """IPv4 addresses beyond loopback, which is where strangers would knock."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return []
        return [probe.getsockname()[0]]


def test_without_any_configuration_it_runs_on_loopback_and_says_so(tmp_path: Path) -> None:
    with running("twistd", *NOWHERE, "wsrelay", "--port", "0", cwd=tmp_path) as relay:
        port = relay.port
        assert health(port) == b'{"health":"OK"}'
        for address in addresses_of_this_machine():
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((address, port), timeout=DEADLINE)
        advice = relay.wait_for("development app").string
        assert "on loopback only" in advice
        for line in (
            "PUSHER_APP_ID=local-app-id",
            "PUSHER_APP_KEY=local-key",
            "PUSHER_APP_SECRET=local-secret",
            f"PUSHER_PORT={port}",
        ):
            assert line in advice
        assert relay.end() == ENDED_BY_SIGTERM
        assert "Traceback" not in relay.text


def test_its_second_loopback_address_is_that_of_ipv6(tmp_path: Path) -> None:
    if not Path("/proc/net/if_inet6").exists():  # then IPv4 alone is right
        return
    with running("twistd", *NOWHERE, "wsrelay", "--port", "0", cwd=tmp_path) as relay:
        (port,) = relay.wait_for(r"\[::1\]:(\d+)").groups()
        assert health(int(port), "[::1]") == b'{"health":"OK"}'


def test_with_an_app_it_listens_on_all_interfaces(tmp_path: Path) -> None:
    with running("twistd", *NOWHERE, "wsrelay", "--port", "0", "--app", APP, cwd=tmp_path) as relay:
        port = relay.port
        for address in ["127.0.0.1", *addresses_of_this_machine()]:
            assert health(port, address) == b'{"health":"OK"}'
        assert relay.end() == ENDED_BY_SIGTERM
        assert "development app" not in relay.text
        assert SECRET not in relay.text


def test_ctrl_c_stops_it(tmp_path: Path) -> None:
    with running("twistd", *NOWHERE, "wsrelay", "--port", "0", cwd=tmp_path) as relay:
        assert health(relay.port)  # the reactor runs, and with it the handling of signals
        assert relay.end(signal.SIGINT) == -signal.SIGINT
        assert "Server Shut Down" in relay.text


def test_twist_runs_it_as_well(tmp_path: Path) -> None:
    with running("twist", "--log-format", "text", "wsrelay", "--port", "0", cwd=tmp_path) as relay:
        assert health(relay.port) == b'{"health":"OK"}'
        relay.end()
        assert "Traceback" not in relay.text


def test_in_the_background_it_has_a_pid_file_and_a_log_and_ends_when_asked(tmp_path: Path) -> None:
    port = free_port()
    started = run("twistd", "wsrelay", "--port", str(port), "--app", APP, cwd=tmp_path)
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    process = int((tmp_path / "twistd.pid").read_text())
    try:
        assert health(port) == b'{"health":"OK"}'
        again = run("twistd", "wsrelay", "--port", str(port), "--app", APP, cwd=tmp_path)
        assert again.returncode == 1
        assert "Another twistd server is running" in again.stdout + again.stderr
    finally:
        os.kill(process, signal.SIGTERM)
    ends = time.monotonic() + DEADLINE
    while (tmp_path / "twistd.pid").exists():  # twistd removes it as its last deed
        assert time.monotonic() < ends
        os.sched_yield()
    log = (tmp_path / "twistd.log").read_text()
    assert f":{port} for app 1001" in log
    assert "Traceback" not in log
    assert SECRET not in log


@pytest.mark.parametrize(
    "how", [("twistd", *NOWHERE), ("twist",), ("twistd",)], ids=["twistd -n", "twist", "twistd"]
)
def test_a_taken_port_ends_the_start_with_status_1_and_its_name(
    how: tuple[str, ...], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tried = run(*how, "wsrelay", "--port", str(port), cwd=tmp_path)
    assert tried.returncode == 1
    said = tried.stdout + tried.stderr
    assert f"port {port} is taken" in said
    assert "Traceback" not in said
    assert f"ss -ltnp sport = :{port}" in said
    assert not (tmp_path / "twistd.pid").exists()


def test_lines_of_the_log_may_be_json(tmp_path: Path) -> None:
    with running(
        "twistd", *NOWHERE, "wsrelay", "--port", "0", "--log-format", "json", cwd=tmp_path
    ) as relay:
        assert relay.port
        relay.end()
        lines = [json.loads(line) for line in relay.lines]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    (started,) = [line for line in lines if line["message"].startswith("Listening on")]
    assert (started["level"], started["logger"]) == ("info", "wsrelay")


def test_json_goes_to_the_log_file_of_a_daemon(tmp_path: Path) -> None:
    log, port = tmp_path / "relay.log", free_port()
    options = ("--port", str(port), "--log-format", "json")
    started = run("twistd", f"--logfile={log}", "wsrelay", *options, cwd=tmp_path)
    assert started.returncode == 0
    # Whoever asks before its reactor runs is answered when it does: it minds signals by then.
    assert health(port) == b'{"health":"OK"}'
    os.kill(int((tmp_path / "twistd.pid").read_text()), signal.SIGTERM)
    ends = time.monotonic() + DEADLINE
    while "Server Shut Down" not in log.read_text():
        assert time.monotonic() < ends
        os.sched_yield()
    assert [json.loads(line)["message"] for line in log.read_text().splitlines()]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("port = 6001\nprot = 1\n", "prot"),
        ('port = "6001"\n', "port"),
        (f'[[apps]]\nid = "1"\nkey = "k"\nsecret = "{SECRET}"\nclient_event = 1\n', "client_event"),
        (f'[[apps]]\nid = "1"\nkey = "k"\nsecret = "{SECRET}"\n' * 2, "two apps"),
        (f'[[apps]]\nsecret = "{SECRET}', "TOML"),
    ],
)
def test_a_faulty_file_ends_the_start_with_one_line(
    content: str, fault: str, tmp_path: Path
) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text(content)
    tried = run("twistd", *NOWHERE, "wsrelay", "--config", str(file), cwd=tmp_path)
    assert tried.returncode == 1
    said = tried.stdout + tried.stderr
    assert said.count("\n") == 1
    assert fault in said
    assert SECRET not in said


def test_a_laravel_app_and_the_relay_share_one_truth(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        'PUSHER_APP_ID=1001\nPUSHER_APP_KEY="app-key"\nPUSHER_APP_SECRET=' + SECRET + "\n"
        "PUSHER_PORT=0\nVITE_PUSHER_APP_KEY=${PUSHER_APP_KEY}\n"
    )
    with running("twistd", *NOWHERE, "wsrelay", "--laravel-env", ".env", cwd=tmp_path) as relay:
        relay.wait_for(r"for app 1001$")
        assert SECRET not in relay.text


def test_the_environment_names_port_and_app(tmp_path: Path) -> None:
    with running(
        "twistd",
        *NOWHERE,
        "wsrelay",
        cwd=tmp_path,
        WEBSOCKET_PORT="0",
        WEBSOCKET_HOST="127.0.0.1",
        REVERB_APP_ID="77",
        REVERB_APP_KEY="key",
        REVERB_APP_SECRET=SECRET,
    ) as relay:
        relay.wait_for(r"Listening on 127\.0\.0\.1:\d+ for app 77$")
