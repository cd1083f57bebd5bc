"""wsrelay.metrics.summed: what adds up, what does not, and that no total falls."""

from __future__ import annotations

from typing import Any

from prometheus_client.exposition import generate_latest

from tests.metrics.watching import watched
from wsrelay.metrics.measured import Measured
from wsrelay.metrics.summed import Family, Summed, taken


def family(name: str, kind: str, **values: float) -> Family:
    return Family(
        name, "meaning", kind, [(name, {"of": of}, value) for of, value in values.items()]
    )


def told(summed: Summed) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("of", "")): sample.value
        for each in summed.collect()
        for sample in each.samples
    }


def test_counters_and_gauges_add_up_label_by_label() -> None:
    summed = Summed(lambda: [family("own", "gauge", x=1)])
    summed.tell(1, [family("seen", "counter", a=1, b=2), family("open", "gauge", a=5)])
    summed.tell(2, [family("seen", "counter", b=3, c=4), family("open", "gauge", a=6)])
    assert told(summed) == {
        ("seen", "a"): 1,
        ("seen", "b"): 5,
        ("seen", "c"): 4,
        ("open", "a"): 11,
        ("own", "x"): 1,
    }
    summed.tell(1, [family("seen", "counter", a=2)])
    assert told(summed)["seen", "a"] == 2, "a process tells what it has counted since its start"


def test_of_what_does_not_add_up_the_worst_counts() -> None:
    worst = {
        "wsrelay_ready": 0.0,
        "wsrelay_reactor_lag_recent_max_seconds": 1.0,
        "wsrelay_tls_certificate_expiry_timestamp_seconds": 0.0,
        "process_open_fds": 1.0,
        "process_max_fds": 0.0,
        "process_start_time_seconds": 0.0,
    }
    summed = Summed(lambda: ())
    for process in (0, 1):
        summed.tell(process, [family(name, "gauge", x=process) for name in worst])
    assert {name: value for (name, _), value in told(summed).items()} == worst


def test_what_a_process_has_counted_stays_when_it_is_gone() -> None:
    summed = Summed(lambda: ())
    counted = [family("seen", "counter", a=3), family("spread_bucket", "histogram", a=2)]
    for process in (1, 2):
        summed.tell(process, [*counted, family("open", "gauge", a=7)])
    summed.forget(1)
    assert told(summed) == {("seen", "a"): 6, ("spread_bucket", "a"): 4, ("open", "a"): 7}
    summed.tell(1, [family("seen", "counter", a=1)])  # the next one begins anew
    assert told(summed)["seen", "a"] == 7
    for process in (1, 2, 3):  # the last was never heard of
        summed.forget(process)
    assert told(summed) == {("seen", "a"): 7, ("spread_bucket", "a"): 4}


def test_two_relays_are_told_as_one_in_prometheus_words() -> None:
    with watched() as seen:
        seen.relay.guest("room")
        service: Any = seen.relay.service
        families = taken(Measured(service, seen.relay.reactor).registry)
    summed = Summed(lambda: ())
    for process in (1, 2):
        summed.tell(process, families)
    page: Any = generate_latest(summed)  # type: ignore[arg-type]
    for line in (
        b'wsrelay_connections{app="1001"} 2.0',
        b'wsrelay_connections_opened_total{app="1001"} 2.0',
        b'wsrelay_reactor_lag_seconds_bucket{le="+Inf"} 0.0',
        b"# TYPE wsrelay_build_info gauge",
        b"wsrelay_ready 1.0",
    ):
        assert line in page.splitlines(), line
