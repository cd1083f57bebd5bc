"""wsrelay.command.status: of a real relay, and of what its metrics listener says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from tests.command.conftest import Relay, Run

#: What a metrics listener says, with numbers that no relay of a test has.
TOLD: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 4242,
    "started_at": "2026-11-23T00:00:00+00:00",
    "uptime_seconds": 93784.5,
    "ready": True,
    "reasons": [],
    "listening": ["tcp 127.0.0.1:6001", "tls [::]:6443"],
    "apps": [{"id": "1001", "connections": 312, "channels": 14}],
    "connections": 312,
    "channels": 14,
    "messages_in_total": 1000,
    "messages_out_total": 25000,
    "slow_readers_total": 1,
    "refused_total": 2,
    "reactor_lag_seconds": 0.0021,
    "certificates": [
        {"names": ["relay.example"], "not_after": "2027-01-31T12:00:00+00:00"},
    ],
    "webhooks": {"queued": 3, "sent": 70},
    "cluster": None,
}


@contextmanager
def answering(answers: dict[str, tuple[int, Any]]) -> Iterator[str]:
    """Somebody who answers these paths, and 404 to all others."""

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, told = answers.get(self.path, (404, {"error": "no such address"}))
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_relay_that_runs_is_up_and_ready(relay: Relay, run: Run) -> None:
    ended = run("status", "--url", relay.url)
    assert ended.code == 0
    assert ended.out.startswith("up and ready\n")
    assert relay.url in ended.out
    told = json.loads(run("status", "--url", relay.url, "--json").out)
    assert told == {"listening": [relay.url], "ready": True, "reasons": []}


def test_its_metrics_listener_says_what_it_is_doing(relay: Relay, run: Run) -> None:
    ended = run("status", "--config", str(relay.file))
    assert ended.code == 0
    assert ended.out.startswith("up and ready\n")
    assert f"process {relay.process._popen.pid}, up for 0:0" in ended.out
    assert "relay.example until " in ended.out
    told = json.loads(run("status", "--config", str(relay.file), "--json").out)
    assert told.keys() == TOLD.keys(), "so what is made up below is like the real thing"
    assert f"tcp 127.0.0.1:{relay.port}" in told["listening"]
    assert [app["id"] for app in told["apps"]] == ["1001", "2002"]
    assert set(TOLD["webhooks"]) <= told["webhooks"].keys()


def test_numbers_are_shown_as_they_are_told(run: Run) -> None:
    with answering({"/status": (200, TOLD)}) as url:
        ended = run("status", "--metrics-url", url)
        told = run("status", "--metrics-url", url, "--json")
    assert ended.code == 0
    for text in (
        "up and ready",
        "tcp 127.0.0.1:6001, tls [::]:6443",
        "0.1.0, process 4242, up for 1 day, 2:03:04",
        "312, in 14 channels",
        "1000 in, 25000 out",
        "2.1 ms",
        "relay.example until 2027-01-31 12:00 UTC",
        "queued 3, sent 70",
    ):
        assert text in ended.out, text
    assert ["1001", "312", "14"] in [line.split() for line in ended.out.splitlines()]
    assert json.loads(told.out) == TOLD


def test_each_worker_has_its_line(run: Run) -> None:
    workers = [
        {"worker": 1, "pid": 4243, "ready": True, "connections": 312, "restarts": 0},
        {"worker": 2, "pid": None, "ready": False, "connections": 0, "restarts": 7},
    ]
    with answering({"/status": (200, {**TOLD, "workers": workers})}) as url:
        ended = run("status", "--metrics-url", url)
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["1", "4243", "312", "0", "yes"] in lines
    assert ["2", "none", "0", "7", "no"] in lines


def test_one_that_is_not_ready_says_why_and_ends_with_1(run: Run) -> None:
    reasons = ["the server is draining"]
    with answering({"/status": (200, {**TOLD, "ready": False, "reasons": reasons})}) as url:
        ended = run("status", "--metrics-url", url)
    assert ended.code == 1
    assert "up, not ready: the server is draining" in ended.out
    answers = {
        "/up": (200, {"health": "OK"}),
        "/ready": (503, {"ready": False, "reasons": reasons}),
    }
    with answering(answers) as url:
        ended = run("status", "--url", url)
    assert ended.code == 1
    assert "up, not ready: the server is draining" in ended.out


def test_somebody_else_who_answers_is_no_relay(run: Run) -> None:
    with answering({"/up": (200, "hello")}) as url:
        ended = run("status", "--url", url)
        assert ended.code == 2
        assert "answers, but not as a wsrelay (200)" in ended.err
        ended = run("status", "--metrics-url", url)
        assert ended.code == 2
        assert "no wsrelay says its status there" in ended.err


def test_what_speaks_no_http_is_no_relay_either(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]

        def hang_up() -> None:
            connection, _ = mute.accept()
            connection.recv(1)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        ended = run("status", "--url", f"http://127.0.0.1:{port}")
        thread.join()
    assert ended.code == 2
    assert "no answer by HTTP" in ended.err
