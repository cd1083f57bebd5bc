"""wsrelay.metrics.site"""

from __future__ import annotations

import json

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.loopback import request
from tests.metrics.watching import Watched, watched
from wsrelay.metrics import site
from wsrelay.metrics.site import IDLE_TIMEOUT, KEPT_FOR, MOST_CONNECTIONS

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def kind_of(seen: Watched, accept: str) -> tuple[int, str, bytes]:
    status, headers, body = seen.asked(request("GET", "/metrics", Accept=accept))
    return status, headers["content-type"], body


def test_the_pages_are_told_and_no_other() -> None:
    with watched() as seen:
        status, headers, body = seen.asked(request("GET", "/metrics"))
        assert (status, headers["content-type"]) == (200, TEXT)
        assert body.startswith(b"# HELP ")
        assert int(headers["content-length"]) == len(body)
        status, headers, body = seen.asked(request("GET", "/status?pretty"))
        assert (status, headers["content-type"]) == (200, "application/json")
        assert json.loads(body)["ready"] is True
        for path in ("/", "/metrics/", "/up/", "/../etc/passwd"):
            status, _, body = seen.asked(request("GET", path))
            assert (status, b"/metrics" in body) == (404, True)


def test_who_prefers_openmetrics_gets_it() -> None:
    with watched() as seen:
        # As Prometheus 2.42 asks.
        status, kind, body = kind_of(
            seen,
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
            "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        )
        assert (status, kind.partition(";")[0]) == (200, "application/openmetrics-text")
        assert body.endswith(b"# EOF\n")
        assert list(text_string_to_metric_families(body.decode()))


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=abc",
        "application/openmetrics-text;version=",
        "application/openmetrics-text;version=9",
        "application/openmetrics-text;escaping=abc",
        "text/plain;version=1.0.0;escaping=abc",
        ",;,=",
        "\u00e9" * 300,
    ],
)
def test_what_is_asked_for_in_nonsense_is_answered_in_text(accept: str) -> None:
    with watched() as seen:
        status, _, body = kind_of(seen, accept)
        assert status == 200
        assert b"wsrelay_ready" in body


def test_a_head_request_has_no_body_and_anything_else_is_405() -> None:
    with watched() as seen:
        status, headers, body = seen.asked(request("HEAD", "/metrics"))
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 1000
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, _ = seen.asked(request(method, "/metrics"))
            assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_a_body_is_read_and_not_kept() -> None:
    with watched() as seen:
        line = seen.line()
        line.send(b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(100):
            line.send(b"x" * 100_000)
        [asked] = line.protocol.requests
        assert asked.content.getbuffer().nbytes == 0


def test_a_connection_is_kept_for_the_next_scrape_and_closed_when_none_comes() -> None:
    with watched() as seen:
        line = seen.line()
        for _ in range(2):
            assert seen.asked(request("GET", "/metrics"), line)[0] == 200
        assert line.is_open
        for _ in range(4):
            seen.relay.advance(IDLE_TIMEOUT)
        assert not line.is_open


def test_more_connections_than_the_bound_are_closed_at_once() -> None:
    with watched() as seen:
        lines = [seen.line() for _ in range(MOST_CONNECTIONS)]
        assert all(line.is_open for line in lines)
        assert not seen.line().is_open
        lines[0].hang_up()
        assert seen.line().is_open


def test_a_page_is_made_once_a_second_however_many_ask() -> None:
    now = [0.0]
    with watched() as seen:
        seen.metrics.site._timer = lambda: now[0]
        made = seen.asked(request("GET", "/status"))[2]
        seen.relay.guest("room")
        assert seen.asked(request("GET", "/status"))[2] == made
        now[0] += KEPT_FOR
        assert json.loads(seen.asked(request("GET", "/status"))[2])["connections"] == 1


def test_what_is_kept_is_bounded() -> None:
    with watched() as seen:
        for number in range(50):
            accept = f"application/openmetrics-text;version=1.0.{number}"
            assert seen.metrics.site.answer(b"GET", b"/metrics", accept)[0] == 200
        assert len(seen.metrics.site._kept) < 10


def test_a_fault_of_ours_is_500_without_details(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise RuntimeError("hush")

    told: list[str] = []
    monkeypatch.setattr(site._log, "failure", lambda form, **_: told.append(form))
    with watched() as seen:
        seen.metrics.site._status = fails
        status, _, body = seen.asked(request("GET", "/status"))
    assert (status, b"hush" in body) == (500, False)
    assert len(told) == 1


def test_whether_the_whole_relay_is_up_and_ready_is_told_here_too() -> None:
    with watched() as seen:
        assert seen.asked(request("GET", "/up"))[::2] == (200, b'{"health":"OK"}')
        assert seen.asked(request("GET", "/ready"))[::2] == (200, b'{"ready":true}')
        seen.relay.service.readiness.withdraw("redis", "Redis: refused")
        status, _, body = seen.asked(request("GET", "/ready"))
        assert (status, json.loads(body)) == (503, {"error": "Redis: refused", "code": 503})
