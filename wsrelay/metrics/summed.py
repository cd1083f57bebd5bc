"""The metrics of several processes as those of one relay.

Counters and histograms add up, and so do gauges of what there is so much of; of the others the
worst counts. What a process has counted stays in the sum when it is gone, so that no total falls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

#: Gauges that do not add up.
_WORST: Mapping[str, Callable[[float, float], float]] = {
    "process_max_fds": min,
    "process_open_fds": max,
    "process_start_time_seconds": min,
    "wsrelay_build": max,
    "wsrelay_reactor_lag_recent_max_seconds": max,
    "wsrelay_ready": min,
    "wsrelay_tls_certificate_expiry_timestamp_seconds": min,
}
#: Kinds that only rise.
_RISING = ("counter", "histogram")


class Family(Struct, frozen=True, array_like=True):
    """All samples of one metric, on their way from one process to another."""

    name: str
    meaning: str
    kind: str
    #: Name, labels, value.
    samples: Sequence[tuple[str, dict[str, str], float]]


def taken(registry: CollectorRegistry | Collector) -> list[Family]:
    """What a registry tells now."""
    return [
        Family(
            family.name,
            family.documentation,
            family.type,
            [(sample.name, dict(sample.labels), sample.value) for sample in family.samples],
        )
        for family in registry.collect()
    ]


class Summed(Collector):
    """One relay's metrics, out of what its processes have told last."""

    def __init__(self, own: Callable[[], Iterable[Family]]) -> None:
        """``own`` are those of the process that adds up."""
        self._own = own
        self._told: dict[int, Sequence[Family]] = {}
        self._gone: list[Family] = []

    def tell(self, process: int, families: Sequence[Family]) -> None:
        """A process tells what it has counted since its start."""
        self._told[process] = families

    def forget(self, process: int) -> None:
        """It is gone; what it has counted is not."""
        told = self._told.pop(process, ())
        rising = [family for family in told if family.kind in _RISING]
        self._gone = list(_sums([self._gone, rising]))

    def collect(self) -> Iterator[Metric]:
        for family in _sums([*self._told.values(), self._gone, self._own()]):
            metric = Metric(family.name, family.meaning, family.kind)
            for name, labels, value in family.samples:
                metric.add_sample(name, labels, value)
            yield metric


def _sums(sources: Iterable[Iterable[Family]]) -> Iterator[Family]:
    """One family for each name, in the order in which the names come first."""
    families: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for family in (family for source in sources for family in source):
        families.setdefault(family.name, family)
        values = sums.setdefault(family.name, {})
        worse = _WORST.get(family.name, float.__add__)
        for name, labels, value in family.samples:
            key = name, tuple(labels.items())
            values[key] = worse(values[key], float(value)) if key in values else float(value)
    for name, family in families.items():
        samples = [(sample, dict(labels), value) for (sample, labels), value in sums[name].items()]
        yield Family(name, family.meaning, family.kind, samples)
