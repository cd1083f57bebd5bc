"""wsrelay.metrics.service: real ports, one of which is taken."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

from msgspec import structs

from tests.loopback import LoopbackTestCase, reactor
from tests.metrics.watching import watched
from tests.ports import free_port
from tests.signing import APP
from tests.stories.processes import DEADLINE, Process, running
from wsrelay.config.settings import Settings
from wsrelay.metrics import service
from wsrelay.metrics.service import MetricsService


def page(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE) as answer:
        body: bytes = answer.read()
        return body


def relay(directory: Path, port: int) -> Process:
    """A context manager: ``twistd`` with metrics there."""
    command = ("twistd", "-n", "--pidfile=", "wsrelay", "--port", "0")
    return running(*command, cwd=directory, WSRELAY_METRICS_PORT=str(port))  # type: ignore[return-value]


def test_a_relay_in_memory_leaves_nothing_in_the_reactor_when_it_is_stopped() -> None:
    with watched() as seen:
        stopped = seen.relay.service.stopService()
        seen.relay.turn()
        assert stopped.called
        assert seen.relay.reactor.getDelayedCalls() == []
        assert seen.metrics.port_number is None


def test_while_it_stops_it_still_tells_who_watches_why_it_is_not_ready() -> None:
    with watched() as seen:
        seen.relay.guest().is_alive = False
        stopped = seen.relay.service.stopService()
        seen.relay.turn()
        assert seen.status()["reasons"] == ["the server is stopping"]
        assert seen.sample("wsrelay_ready") == 0
        assert seen.metrics.port_number is not None
        seen.relay.advance(10)
        assert stopped.called
        assert seen.metrics.port_number is None


def test_0_is_no_metrics() -> None:
    with watched() as seen:
        settings = structs.replace(seen.relay.service._settings, metrics_port=0)
        assert list(type(seen.relay.service)(settings, seen.relay.reactor)) == []


def test_two_relays_of_a_machine_both_serve_and_the_second_has_metrics_when_the_first_is_gone(
    tmp_path: Path,
) -> None:
    port = free_port()
    with relay(tmp_path, port) as first:  # type: ignore[attr-defined]
        first.wait_for(f"Metrics at http://127.0.0.1:{port}/metrics")
        assert b"wsrelay_ready 1.0" in page(port, "/metrics")
        with relay(tmp_path, port) as second:  # type: ignore[attr-defined]
            told = second.wait_for("No metrics yet").string
            assert f"can't listen on 127.0.0.1:{port}" in told
            assert "wsrelay#warn" in told
            assert page(second.port, "/ready") == b'{"ready":true}'
            first.end()
            second.wait_for(f"Metrics at http://127.0.0.1:{port}/metrics")
            assert f'"pid":{second._popen.pid}'.encode() in page(port, "/status")
            second.end()
            assert second.text.count("No metrics yet") == 1
            assert "Traceback" not in first.text + second.text


class TakenPortTest(LoopbackTestCase):
    """Stopping while the port is still waited for."""

    async def setUp(self) -> None:
        self.holder = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.holder.close)
        port = self.holder.getsockname()[1]
        self.settings = Settings(apps=(APP,), host="127.0.0.1", port=0, metrics_port=port)
        self.patch(service, "RETRY", 0.01)
        await super().setUp()

    async def test_it_is_tried_until_it_is_free(self) -> None:
        [metrics] = self.relay.services
        assert isinstance(metrics, MetricsService)
        await self.a_turn()
        assert metrics.port_number is None
        self.holder.close()
        while metrics.port_number is None:
            await self.a_turn()
        assert self.log_text.count("No metrics yet") == 1

    async def test_a_relay_that_still_waits_for_it_stops_in_order(self) -> None:
        await self.stop()
        assert not [call for call in reactor.getDelayedCalls() if "_listen" in str(call)]
