"""A real Prometheus scrapes a real relay, and answers what the dashboard asks."""

from __future__ import annotations

import json
import shutil
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.metrics.promql import dashboard_queries
from tests.ports import free_port
from tests.stories.processes import DEADLINE, running
from tests.tls.authority import Authority

#: What an idle relay has nothing to say about: zeros are left out by "> 0", and 0 / 0; and what
#: only those with several workers tell.
MAY_BE_EMPTY = ("> 0", "/ sum(", "wsrelay_worker_")


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
        return json.load(answer)


def test_every_panel_of_the_dashboard_has_something_to_show(tmp_path: Path) -> None:
    port, own_port = free_port(), free_port()
    files = Authority().issue("relay.example").store(tmp_path)
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
        "scrape_configs: [{job_name: wsrelay, static_configs: [{targets: "
        f'["127.0.0.1:{port}"]}}]}}]\n'
    )
    with (
        running(
            *("twistd", "-n", "--pidfile=", "wsrelay", "--port", "0", "--tls-port", "0"),
            *("--tls-cert", files.cert, "--tls-key", files.key, "--metrics-port", str(port)),
            cwd=tmp_path,
        ) as relay,
        running(
            str(shutil.which("prometheus")),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{own_port}",
            cwd=tmp_path,
        ) as prometheus,
    ):
        relay.wait_for("Metrics at")
        assert get(f"http://127.0.0.1:{relay.port}/up")
        prometheus.wait_for("Server is ready")
        ask = f"http://127.0.0.1:{own_port}/api/v1/query?query="

        def result(query: str) -> list[Any]:
            answer = get(ask + urllib.parse.quote(query))
            assert answer["status"] == "success"
            found: list[Any] = answer["data"]["result"]
            return found

        ends = time.monotonic() + DEADLINE
        scraped = 'count_over_time(up{job="wsrelay"}[1m]) > 3'
        while not result(scraped):
            assert time.monotonic() < ends, "not scraped"
            time.sleep(0.1)
        [up] = result("up")
        assert up["value"][1] == "1", get(f"http://127.0.0.1:{own_port}/api/v1/targets")
        empty = {query for query in dashboard_queries() if not result(query)}
        assert {query for query in empty if not any(s in query for s in MAY_BE_EMPTY)} == set()
        assert "Traceback" not in relay.text
