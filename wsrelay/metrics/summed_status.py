"""The state of a relay of several processes as one document: the same as that of one.

A channel counts once for each worker that has it. Besides, ``workers`` says how each is doing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from .. import __version__
from .status import iso

Document = Mapping[str, Any]
#: Numbers of the document that add up.
_SUMS = (
    "connections",
    "channels",
    "messages_in_total",
    "messages_out_total",
    "slow_readers_total",
    "refused_total",
)


class Told(Struct, frozen=True):
    """One worker, as the process sees it that started it."""

    number: int
    #: ``None`` while there is none.
    pid: int | None
    #: Serves, or why not.
    fault: str
    restarts: int
    #: What it has told last; empty until then.
    status: Document


def summed(workers: Sequence[Told], gone: Document, started_at: float, uptime: float) -> Document:
    """``gone``: totals of workers that are no more. ``started_at`` is Unix time, in seconds."""
    told = [worker.status for worker in workers if worker.status]
    reasons = [f"worker {worker.number}: {why}" for worker in workers for why in _reasons(worker)]
    return {
        "version": __version__,
        "pid": os.getpid(),
        "started_at": iso(started_at),
        "uptime_seconds": round(uptime, 3),
        "ready": not reasons,
        "reasons": reasons,
        "listening": told[0]["listening"] if told else [],
        "apps": _apps(told),
        **{name: sum(each[name] for each in told) + gone.get(name, 0) for name in _SUMS},
        "reactor_lag_seconds": max((each["reactor_lag_seconds"] for each in told), default=0.0),
        "certificates": told[0]["certificates"] if told else [],
        "webhooks": _added([each["webhooks"] for each in told], gone.get("webhooks", {})),
        "cluster": None,
        "workers": [
            {
                "worker": worker.number,
                "pid": worker.pid,
                "ready": not _reasons(worker),
                "connections": worker.status.get("connections", 0),
                "restarts": worker.restarts,
            }
            for worker in workers
        ],
    }


def gone_with(gone: Document, status: Document) -> Document:
    """The totals of those that are no more, with one more of them."""
    if not status:
        return gone
    totals = {name: gone.get(name, 0) + status[name] for name in _SUMS if name.endswith("_total")}
    rising = {
        name: many for name, many in status["webhooks"].items() if not name.startswith("queued")
    }
    return {**totals, "webhooks": _added([rising], gone.get("webhooks", {}))}


def _reasons(worker: Told) -> Sequence[str]:
    return [worker.fault] if worker.fault else worker.status.get("reasons", ())


def _apps(told: Sequence[Document]) -> list[Document]:
    apps: dict[str, dict[str, Any]] = {}
    for each in (app for status in told for app in status["apps"]):
        app = apps.setdefault(each["id"], {"id": each["id"], "connections": 0, "channels": 0})
        app["connections"] += each["connections"]
        app["channels"] += each["channels"]
    return list(apps.values())


def _added(documents: Sequence[Mapping[str, int]], gone: Mapping[str, int]) -> dict[str, int]:
    sums = dict(gone)
    for document in documents:
        for name, many in document.items():
            sums[name] = sums.get(name, 0) + many
    return sums
