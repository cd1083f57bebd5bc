"""How many processes ``workers`` means: a number, or as many as there are cores to use."""

from __future__ import annotations

import os
from contextlib import suppress
from math import ceil
from pathlib import Path

from .settings import MOST_WORKERS, Settings

#: Of control groups, version 2 (Documentation/admin-guide/cgroup-v2.rst, "CPU Interface Files").
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def workers_of(settings: Settings) -> int:
    """At least one; ``auto`` is one for each core that this process may use."""
    return cores() if settings.workers == "auto" else settings.workers


def cores(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """Those that the scheduler gives this process, and no more than its container may use."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        allowed = os.cpu_count() or 1
    quota = _quota(cgroups, own)
    if quota is not None:
        allowed = min(allowed, max(1, ceil(quota)))
    return min(allowed, MOST_WORKERS)


def _quota(cgroups: Path, own: Path) -> float | None:
    """Cores' worth of time, as ``docker run --cpus`` and ``CPUQuota=`` limit it; None: any."""
    found: list[float] = []
    with suppress(OSError, ValueError):
        group = cgroups / own.read_text().rpartition("::")[2].strip().lstrip("/")
        while group.is_relative_to(cgroups):
            with suppress(OSError, ValueError):  # none is said there; "max 100000" is no number
                most, period = (group / "cpu.max").read_text().split()
                found.append(int(most) / int(period))
            group = group.parent
    return min(found, default=None)
