"""wsrelay.metrics.process: the same as prometheus_client says of this process."""

from __future__ import annotations

import os

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from wsrelay.metrics.process import Process, open_descriptors


def test_names_kinds_and_values_are_those_of_prometheus_clients_everywhere() -> None:
    theirs = {each.name: each for each in ProcessCollector(registry=None).collect()}
    ours = {each.name: each for each in Process(started_at=1.0).collect()}
    assert ours.keys() == theirs.keys()
    for name, metric in ours.items():
        assert metric.type == theirs[name].type, name
    for name in ("process_open_fds", "process_max_fds"):
        # Listing descriptors takes one itself.
        assert 0 <= theirs[name].samples[0].value - ours[name].samples[0].value <= 1, name
    for name in ("process_resident_memory_bytes", "process_cpu_seconds"):
        value = theirs[name].samples[0].value
        assert ours[name].samples[0].value == pytest.approx(value, rel=0.2, abs=0.1), name
    assert ours["process_start_time_seconds"].samples[0].value == 1.0


def test_each_descriptor_counts() -> None:
    before = open_descriptors()
    descriptors = [os.dup(0) for _ in range(10)]
    try:
        assert open_descriptors() == before + 10
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def test_where_the_kernel_does_not_tell_how_many_they_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = open_descriptors()
    monkeypatch.setattr(os, "stat", lambda path: os.stat_result((0,) * 10))  # Linux before 6.2
    assert open_descriptors() - told in (0, 1)


def test_without_proc_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from wsrelay.metrics import process

    monkeypatch.setattr(process, "_SELF", process.Path("/nowhere"))
    registry = CollectorRegistry()
    registry.register(Process(1.0))
    assert list(registry.collect()) == []
