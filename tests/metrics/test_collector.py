"""wsrelay.metrics.collector: what a scrape says after things have happened."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import request
from tests.memory import handshake
from tests.metrics.watching import Watched, watched
from tests.signing import APP, event, signed_target
from wsrelay.core.apps import App, Apps, Secret, Webhook
from wsrelay.core.frame import Frame
from wsrelay.core.notices import Tally
from wsrelay.core.publication import Publication
from wsrelay.metrics.seen import MOST_APPS, OTHERS
from wsrelay.web.api import SIGNED


def test_connections_are_told_by_app_and_by_how_they_ended() -> None:
    with watched() as seen:
        relay = seen.relay
        guests = [relay.guest() for _ in range(3)]
        guests[0].sendClose(1000)
        relay.turn()
        guests[1].line.hang_up()
        relay.turn()
        relay.visitor("/app/nobody?protocol=7")
        relay.visitor(f"/app/{APP.key}?protocol=99")
        assert seen.sample("wsrelay_connections", app=APP.id) == 1
        assert seen.sample("wsrelay_connections_opened_total", app=APP.id) == 3
        assert seen.sample("wsrelay_connections_closed_total", code="1000") == 1
        assert seen.sample("wsrelay_connections_closed_total", code="1006") == 1
        assert seen.sample("wsrelay_connections_refused_total", code="4001") == 1
        assert seen.sample("wsrelay_connections_refused_total", code="4007") == 1
        assert seen.sample("wsrelay_connections_refused_total", code="4100") == 0


def test_connections_that_are_no_websockets_are_told_while_they_are_open() -> None:
    with watched() as seen:
        seen.relay.guest()
        asking, silent = seen.relay.line(), seen.relay.line()
        asking.send(request("GET", "/up"))
        seen.relay.turn()
        assert seen.sample("wsrelay_http_connections") == 2
        for line in (asking, silent):
            line.hang_up()
        seen.relay.turn()
        assert seen.sample("wsrelay_http_connections") == 0


def test_handshakes_that_fail_are_told() -> None:
    with watched() as seen:
        line = seen.relay.line()
        line.send(handshake().replace(b"Version: 13", b"Version: 7"))
        seen.relay.turn()
        line.hang_up()
        assert seen.sample("wsrelay_handshakes_failed_total") == 1


def test_channels_are_told_by_kind_and_never_by_name() -> None:
    with watched() as seen:
        seen.relay.guest("secret-plans", "private-room", "private-encrypted-room")
        seen.relay.guest("private-room")
        assert seen.sample("wsrelay_channels", kind="public") == 1
        assert seen.sample("wsrelay_channels", kind="private") == 1
        assert seen.sample("wsrelay_channels", kind="private-encrypted") == 1
        assert seen.sample("wsrelay_channels", kind="presence") == 0
        assert "secret-plans" not in seen.page() + seen.page("/status")


def test_messages_are_told_and_those_that_are_rejected_by_app_and_code() -> None:
    with watched() as seen:
        ada, bob = seen.relay.guest("private-room"), seen.relay.guest("private-room")
        ada.whisper("private-room", "hello")
        bob.whisper("private-hall", "where he is not")
        bob.sendMessage(b"{")
        seen.relay.turn()
        assert seen.sample("wsrelay_messages_received_total") == 2 + 3
        assert seen.sample("wsrelay_client_events_total") == 1
        assert seen.sample("wsrelay_messages_rejected_total", app=APP.id, code="4301") == 1
        assert seen.sample("wsrelay_messages_rejected_total", app=APP.id, code="4300") == 1
        tally = seen.relay.service.tally
        assert seen.sample("wsrelay_received_bytes_total") == tally.bytes_in > 500
        assert seen.sample("wsrelay_sent_bytes_total") == tally.bytes_out > 500


def test_subscriptions_that_are_refused_are_told_by_status() -> None:
    with watched() as seen:
        guest = seen.relay.guest()
        guest.say("pusher:subscribe", data={"channel": "private-room", "auth": "no"})
        seen.relay.turn()
        assert seen.sample("wsrelay_subscriptions_refused_total", status="401") == 1


def test_publications_are_told_by_how_many_they_reach() -> None:
    with watched() as seen:
        relay = seen.relay
        for _ in range(5):
            relay.guest("room")
        for channel in ("room", "room", "hall"):
            body = event(channel)
            relay.line().send(
                request("POST", signed_target("POST", f"/apps/{APP.id}/events", body), body)
            )
            relay.turn()
        bucket = "wsrelay_publication_receivers_bucket"
        assert [seen.sample(bucket, le=le) for le in ("0", "1", "3", "7", "+Inf")] == [
            1,
            1,
            1,
            3,
            3,
        ]
        assert seen.sample("wsrelay_publication_receivers_sum") == 10
        assert seen.sample("wsrelay_publication_receivers_count") == 3


def test_readers_who_do_not_keep_up_are_told_while_they_are_held_and_when_closed() -> None:
    with watched(max_waiting_bytes=64 * 1024) as seen:
        sleeper = seen.relay.guest("room")
        sleeper.line.is_read = False

        def publish(kilobytes: int) -> None:
            for _ in range(kilobytes):
                frame = Frame(b"x" * 1024)
                seen.relay.service.relay.publish(Publication(APP.id, "room", frame))
                seen.relay.turn()

        publish(80)
        assert seen.sample("wsrelay_held_readers") == 1
        assert seen.sample("wsrelay_held_bytes") > 8 * 1024
        assert seen.sample("wsrelay_slow_readers_closed_total") == 0
        publish(80)
        seen.relay.advance(6)
        assert seen.sample("wsrelay_held_readers") == 0
        assert seen.sample("wsrelay_held_bytes") == 0
        assert seen.sample("wsrelay_slow_readers_closed_total") == 1


def test_outboxes_that_are_to_be_written_are_told() -> None:
    with watched() as seen:
        seen.relay.guest("room")
        seen.relay.service.relay.publish(Publication(APP.id, "room", Frame(b"{}")))
        assert seen.sample("wsrelay_outboxes_unwritten") == 1
        seen.relay.turn()
        assert seen.sample("wsrelay_outboxes_unwritten") == 0


def test_requests_are_told_by_route_and_status_with_their_durations() -> None:
    with watched() as seen:
        for target in ("/up", "/up", f"/apps/{APP.id}/channels/secret-plans", "/nowhere"):
            seen.relay.line().send(request("GET", target))
            seen.relay.turn()
        one = "/apps/{app_id}/channels/{channel_name}"
        requests = "wsrelay_http_requests_total"
        assert seen.sample(requests, route="/up", status="200") == 2
        assert seen.sample(requests, route=one, status="401") == 1
        assert seen.sample(requests, route="elsewhere", status="404") == 1
        took = "wsrelay_http_request_duration_seconds"
        assert seen.sample(f"{took}_count", route="/up") == 2
        assert seen.sample(f"{took}_bucket", route="/up", le="+Inf") == 2
        assert "secret-plans" not in seen.page()


def test_a_node_that_is_not_ready_says_so() -> None:
    with watched() as seen:
        assert seen.sample("wsrelay_ready") == 1
        seen.relay.service.readiness.withdraw("drain", "stopping")
        assert seen.sample("wsrelay_ready") == 0


def test_webhooks_are_told_by_what_became_of_them() -> None:
    app = App(
        id="1", key="k", secret=Secret("s"), webhooks=(Webhook(url="https://hooks.example/"),)
    )
    with watched(apps=(app,)) as seen:
        tally = seen.relay.service.messenger.tally
        tally.sent, tally.failed, tally.dropped, tally.retried = 1, 2, 3, 4
        tally.queued, tally.queued_bytes = 5, 6
        for number, outcome in enumerate(("sent", "failed", "dropped"), 1):
            assert seen.sample("wsrelay_webhook_deliveries_total", outcome=outcome) == number
        assert seen.sample("wsrelay_webhook_retries_total") == 4
        assert seen.sample("wsrelay_webhook_queued") == 5
        assert seen.sample("wsrelay_webhook_queued_bytes") == 6


def many_apps(count: int) -> tuple[App, ...]:
    return tuple(App(id=f"app{n}", key=f"key{n}", secret=Secret("s")) for n in range(count))


def test_of_very_many_apps_the_first_are_told_one_by_one_and_the_rest_together() -> None:
    with watched(apps=many_apps(MOST_APPS + 3)) as seen:
        for number in (0, MOST_APPS - 1, MOST_APPS, MOST_APPS + 2):
            seen.relay.visitor(f"/app/key{number}?protocol=7")
        assert seen.sample("wsrelay_connections", app="app0") == 1
        assert seen.sample("wsrelay_connections", app=f"app{MOST_APPS - 1}") == 1
        assert seen.sample("wsrelay_connections", app=OTHERS) == 2
        assert seen.sample("wsrelay_connections_opened_total", app=OTHERS) == 2
        with pytest.raises(KeyError):
            seen.sample("wsrelay_connections", app=f"app{MOST_APPS}")
        apps = {each["id"]: each["connections"] for each in seen.status()["apps"]}
        assert len(apps) == MOST_APPS + 1
        assert (apps["app0"], apps[OTHERS]) == (1, 2)


def test_what_is_left_of_an_app_that_is_configured_no_more_is_told_with_the_others() -> None:
    with watched(apps=(APP, *many_apps(1))) as seen:
        seen.relay.visitor("/app/key0?protocol=7")
        seen.relay.guest("room")
        seen.relay.service.apps = Apps([APP])
        assert seen.sample("wsrelay_connections", app=OTHERS) == 1
        assert seen.sample("wsrelay_connections", app=APP.id) == 1
        apps = {each["id"]: (each["connections"], each["channels"]) for each in told_apps(seen)}
        assert apps == {APP.id: (1, 1), OTHERS: (1, 0)}


def told_apps(seen: Watched) -> list[dict[str, Any]]:
    apps: list[dict[str, Any]] = seen.status()["apps"]
    return apps


def busy(seen: Watched) -> None:
    """As many time series as there can be, nearly."""
    tally = seen.relay.service.tally
    api = seen.relay.service._doors.front.web.api
    for status in (200, 400, 401, 403, 404, 413, 429, 500, 503):
        for _, path, _ in SIGNED:
            api.count(f"/apps/{{app_id}}/{path}", status, 0.001)
    for app in seen.relay.service.apps:
        for code in (4009, 4300, 4301, 4302):
            tally.rejections[app.id, code] = 1


def test_the_greatest_scrape_takes_a_few_milliseconds() -> None:
    with watched(apps=many_apps(MOST_APPS)) as seen:
        busy(seen)
        took = []
        for _ in range(7):
            began = time.perf_counter()
            page = seen.page()
            took.append(time.perf_counter() - began)
    assert page.count("\n") > 900
    # Half of it on the machine this was written on, ten times as much on one that is busy.
    assert min(took) < 0.1, took


def test_promtool_finds_nothing_to_object_to() -> None:
    with watched() as seen:
        busy(seen)
        seen.relay.guest("room")
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=seen.page(), capture_output=True, text=True
        )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_all_that_is_counted_is_told() -> None:
    source = Path(__file__).parents[2].joinpath("wsrelay/metrics/collector.py").read_text()
    for name in Tally.__slots__:
        assert f"tally.{name}" in source, name
