"""benchmarks.workloads"""

from __future__ import annotations

import pytest

from benchmarks.workloads import DELIVERIES, LATENCY, MEMORY, WORKLOADS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8.4, "8.40"),
        (999.4, "999"),
        (999.5, "1.00 k"),
        (84_120, "84.1 k"),
        (276_400, "276 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (1_120_000, "1.12 M"),
    ],
)
def test_rates_have_three_digits(value: float, text: str) -> None:
    assert DELIVERIES.text(value) == text


def test_times_and_sizes_have_their_units() -> None:
    assert LATENCY.text(0.71) == "0.71 ms"
    assert LATENCY.text(0.032) == "0.032 ms"
    assert LATENCY.text(2567) == "2.57 s"
    assert MEMORY.text(4.6 * 1024) == "4.6 KB"


def test_a_workload_knows_how_many_connections_it_opens() -> None:
    assert WORKLOADS["hall"].connections == 1001
    assert WORKLOADS["idle"].connections == 10_000
    assert WORKLOADS["publish"].connections == 16
