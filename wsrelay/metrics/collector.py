"""Which metrics there are: all of them made anew for every scrape, out of what is counted anyway.

A scrape walks no connections and no channels. Labels hold what is configured or defined in code,
never what a client can choose.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

import twisted

from .. import __version__
from ..core.distribution import Distribution
from ..core.errors import Code
from .lag import Lag
from .seen import Seen, by_app, soonest

#: Of ``Tally.fan_outs``, as many bits as make a bound of their own: up to 65,535 receivers.
MOST_BITS = 16
#: The usual answers to messages that are not acted upon, told of even while there are none.
REJECTIONS = (int(Code.BAD_MESSAGE), int(Code.CLIENT_EVENT_REJECTED))


class Metrics(Collector):
    """One relay's metrics. Names and units follow https://prometheus.io/docs/practices/naming/."""

    def __init__(self, seen: Seen, lag: Lag) -> None:
        self._seen = seen
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        yield from self._server()
        yield from self._connections()
        yield from self._messages()
        yield from self._outboxes()
        yield from self._rules()
        yield from self._http()
        yield from self._webhooks()
        yield from self._tls()
        yield from self._cluster()

    def _cluster(self) -> Iterator[Metric]:
        room = self._seen.room
        for name, meaning, count in room.tally.told() if room is not None else ():
            yield CounterMetricFamily(f"wsrelay_cluster_{name}", meaning, count)

    def _server(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "wsrelay_build",
            "Versions of what runs.",
            {
                "version": __version__,
                "python": platform.python_version(),
                "twisted": twisted.__version__,
            },
        )
        yield GaugeMetricFamily(
            "wsrelay_ready",
            "1 when the relay may be given traffic, as /ready says.",
            int(self._seen.readiness.is_ready),
        )
        lag = HistogramMetricFamily(
            "wsrelay_reactor_lag_seconds", "How late a timer was called, twice a second."
        )
        _add(lag, (), self._lag.spread)
        yield lag
        yield GaugeMetricFamily(
            "wsrelay_reactor_lag_recent_max_seconds",
            "The longest lag of the last half minute or so.",
            self._lag.recent_max,
        )

    def _connections(self) -> Iterator[Metric]:
        seen = self._seen
        yield _gauges(
            "wsrelay_connections",
            "Open connections.",
            "app",
            by_app(seen, seen.connections.by_app()),
        )
        yield _counters(
            "wsrelay_connections_opened",
            "Connections that were admitted.",
            "app",
            by_app(seen, seen.edges.opened.items()),
        )
        yield _counters(
            "wsrelay_connections_closed",
            "Connections that were admitted and are gone, by close code; 1006: without one.",
            "code",
            seen.edges.closed,
        )
        yield _counters(
            "wsrelay_connections_refused",
            "Connections that were refused, by the code that the client was told.",
            "code",
            seen.edges.refused,
        )
        yield GaugeMetricFamily(
            "wsrelay_http_connections",
            "Open connections that are not WebSockets, or not yet.",
            len(seen.callers),
        )
        yield CounterMetricFamily(
            "wsrelay_handshakes_failed",
            "WebSocket handshakes that were refused as such or never ended.",
            seen.tally.handshakes_failed,
        )
        yield CounterMetricFamily(
            "wsrelay_connections_turned_away",
            "Connections that were closed unanswered, because no descriptor was left.",
            seen.tally.connections_turned_away,
        )
        yield CounterMetricFamily(
            "wsrelay_proxy_headers_refused",
            "Connections to a port with proxy_protocol that were closed: of no trusted proxy, or "
            "without a PROXY header.",
            seen.tally.proxy_headers_refused,
        )
        yield _gauges(
            "wsrelay_channels",
            "Channels with a subscriber on this node.",
            "kind",
            {_kind(prefix): count for prefix, count in seen.relay.hub.of_kind.items()},
        )
        yield _counters(
            "wsrelay_subscriptions_refused",
            "Subscriptions that were refused, by status.",
            "status",
            seen.edges.subscriptions_refused,
        )

    def _messages(self) -> Iterator[Metric]:
        tally = self._seen.tally
        yield CounterMetricFamily(
            "wsrelay_messages_received", "Messages of clients.", tally.messages_in
        )
        rejected = CounterMetricFamily(
            "wsrelay_messages_rejected",
            "Messages of clients that were not, or not wholly, acted upon, by the code they were "
            "answered with; 4301: client events.",
            labels=("app", "code"),
        )
        for code in sorted({*REJECTIONS, *(code for _, code in tally.rejections)}):
            of_code = ((app, count) for (app, of), count in tally.rejections.items() if of == code)
            for app, count in by_app(self._seen, of_code).items():
                rejected.add_metric((app, str(code)), count)
        yield rejected
        yield CounterMetricFamily(
            "wsrelay_client_events", "Client events that were passed on.", tally.client_events
        )
        fan_out = HistogramMetricFamily(
            "wsrelay_publication_receivers",
            "Publications by the connections of this node that each was sent to; the sum counts "
            "all events sent.",
        )
        fan_out.add_metric((), _fan_out_buckets(tally.fan_outs), tally.deliveries)
        yield fan_out
        yield CounterMetricFamily(
            "wsrelay_received_bytes",
            "Bytes of WebSocket connections, with handshakes and frames, without TLS.",
            tally.bytes_in,
        )
        yield CounterMetricFamily(
            "wsrelay_sent_bytes",
            "Bytes written to WebSocket connections, with handshakes and frames, without TLS.",
            tally.bytes_out,
        )

    def _outboxes(self) -> Iterator[Metric]:
        tally = self._seen.tally
        yield GaugeMetricFamily(
            "wsrelay_outboxes_unwritten",
            "Connections that have something to be written in this turn of the reactor.",
            self._seen.websocket.unwritten,
        )
        yield GaugeMetricFamily(
            "wsrelay_held_readers",
            "Clients that do not read as fast as they are written to.",
            tally.held_readers,
        )
        yield GaugeMetricFamily(
            "wsrelay_held_bytes",
            "Bytes that wait for them, besides what the system buffers (max_waiting_bytes each).",
            tally.held_bytes,
        )
        yield CounterMetricFamily(
            "wsrelay_slow_readers_closed",
            "Clients that were closed (4100) because too much waited for them.",
            tally.slow_readers_closed,
        )

    def _rules(self) -> Iterator[Metric]:
        tally = self._seen.tally
        yield _counters(
            "wsrelay_superseded",
            "Client events of which only the newest counts, and a newer one came first: before "
            "it left, or while it waited for a slow reader.",
            "where",
            {"sender": tally.client_events_superseded, "reader": tally.frames_superseded},
        )
        yield CounterMetricFamily(
            "wsrelay_positions_unreadable",
            "Positions that could not be read, and were delivered to all.",
            tally.positions_unreadable,
        )
        yield CounterMetricFamily(
            "wsrelay_snapshots_cut",
            "Events that snapshots forgot for want of room.",
            tally.snapshots_cut,
        )

    def _http(self) -> Iterator[Metric]:
        tally = self._seen.tally
        requests = CounterMetricFamily(
            "wsrelay_http_requests",
            "HTTP requests that were answered; elsewhere: no route was found.",
            labels=("route", "status"),
        )
        for (route, status), count in sorted(tally.requests.items()):
            requests.add_metric((route, str(status)), count)
        yield requests
        durations = HistogramMetricFamily(
            "wsrelay_http_request_duration_seconds",
            "From a whole request to its answer.",
            labels=("route",),
        )
        for route, spread in sorted(tally.request_durations.items()):
            _add(durations, (route,), spread)
        yield durations

    def _webhooks(self) -> Iterator[Metric]:
        tally = self._seen.messenger.tally
        yield _counters(
            "wsrelay_webhook_deliveries",
            "Requests to webhooks by what became of them: accepted, given up, or thrown away "
            "because too many waited.",
            "outcome",
            {"sent": tally.sent, "failed": tally.failed, "dropped": tally.dropped},
        )
        yield CounterMetricFamily(
            "wsrelay_webhook_retries", "Attempts that failed and are made again.", tally.retried
        )
        yield GaugeMetricFamily(
            "wsrelay_webhook_queued", "Requests to webhooks that wait.", tally.queued
        )
        yield GaugeMetricFamily(
            "wsrelay_webhook_queued_bytes", "Bytes of those that wait.", tally.queued_bytes
        )

    def _tls(self) -> Iterator[Metric]:
        tally = self._seen.tally
        yield CounterMetricFamily(
            "wsrelay_tls_handshakes", "TLS handshakes that were begun.", tally.tls_handshakes
        )
        yield CounterMetricFamily(
            "wsrelay_tls_handshakes_failed",
            "TLS handshakes that failed, or were left by the client before their end.",
            tally.tls_handshakes_failed,
        )
        yield _gauges(
            "wsrelay_tls_certificate_expiry_timestamp_seconds",
            "When a certificate ends, in seconds since the epoch.",
            "file",
            {path: shown.expires_at for path, shown in soonest(self._seen.certificates)},
        )


def _kind(prefix: str) -> str:
    """``private-cache-`` as ``private-cache``, ``#watchlist-`` as ``watchlist``."""
    return prefix.strip("#-") or "public"


def _gauges(name: str, what: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=(label,))
    for value_of, value in values.items():
        family.add_metric((value_of,), value)
    return family


def _counters(name: str, what: str, label: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, what, labels=(label,))
    for count_of, count in counts.items():
        family.add_metric((count_of,), count)
    return family


def _add(family: HistogramMetricFamily, labels: Iterable[str], spread: Distribution) -> None:
    bounds = [*(f"{bound:g}" for bound in spread.bounds), "+Inf"]
    counts = accumulate(spread.counts)
    family.add_metric(tuple(labels), list(zip(bounds, counts, strict=True)), spread.sum)


def _fan_out_buckets(fan_outs: list[int]) -> list[tuple[str, float]]:
    """0, 1, 3, 7, 15 ...: the greatest number of each number of bits."""
    counts = list(accumulate(fan_outs))
    buckets = [(str(2**bits - 1), counts[bits]) for bits in range(MOST_BITS + 1)]
    return [*buckets, ("+Inf", counts[-1])]
