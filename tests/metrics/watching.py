"""A relay in memory with its metrics on, and what a scrape says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import structs
from prometheus_client.parser import text_string_to_metric_families

from tests.memory import Line, Server, running
from tests.signing import APP
from wsrelay.config.settings import Settings
from wsrelay.metrics.service import MetricsService

PORT = 9700


class Watched:
    """``relay`` is served to its clients, ``metrics`` to those who watch."""

    def __init__(self, relay: Server) -> None:
        self.relay = relay
        [metrics] = relay.service.services
        assert isinstance(metrics, MetricsService)
        self.metrics = metrics

    def page(self, path: str = "/metrics", accept: str = "") -> str:
        """What is told now, and not what is kept."""
        self.metrics.site._kept.clear()
        status, (_, body) = self.metrics.site.answer(b"GET", path.encode(), accept)
        assert status == 200
        return body.decode()

    def sample(self, name: str, **labels: str) -> float:
        """The value of one sample; KeyError when there is none."""
        for family in text_string_to_metric_families(self.page()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        raise KeyError(name, labels)

    def status(self) -> Any:
        return json.loads(self.page("/status"))

    def line(self) -> Line:
        """A connection to the port of the metrics."""
        [factory] = [each for port, each, *_ in self.relay.reactor.tcpServers if port == PORT]
        line = Line(self.relay.reactor, 50_000)
        line.protocol = factory.buildProtocol(None)
        if line.protocol is None:
            line.is_open = False
        else:
            line.protocol.makeConnection(line)
        return line

    def asked(self, request: bytes, line: Line | None = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to a whole request."""
        line = line or self.line()
        line.send(request)
        self.relay.turn()
        head, _, body = line.read().partition(b"\r\n\r\n")
        start, *fields = head.decode().split("\r\n")
        found = re.fullmatch(r"HTTP/1\.1 (\d+) .*", start)
        assert found is not None, start
        return int(found[1]), {k.lower(): v for k, v in (f.split(": ", 1) for f in fields)}, body


@contextmanager
def watched(**settings: Any) -> Iterator[Watched]:
    """A relay with one app, or with the settings that are given."""
    given = structs.replace(Settings(apps=(APP,), metrics_port=PORT), **settings)
    with running(given) as relay:
        yield Watched(relay)
