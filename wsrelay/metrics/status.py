"""The state of the relay as one JSON document, for ``wsrelay status`` and for scripts.

No secrets and no keys. Fields may be added; those that are here stay.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .. import __version__
from .lag import Lag
from .seen import Seen, by_app, soonest


def status(seen: Seen, lag: Lag, started_at: float, uptime: float) -> Mapping[str, Any]:
    """``started_at`` is Unix time; both are in seconds."""
    tally, webhooks = seen.tally, seen.messenger.tally
    connections = by_app(seen, seen.connections.by_app())
    channels = by_app(seen, seen.relay.hub.by_app())
    return {
        "version": __version__,
        "pid": os.getpid(),
        "started_at": iso(started_at),
        "uptime_seconds": round(uptime, 3),
        "ready": seen.readiness.is_ready,
        "reasons": seen.readiness.reasons,
        "listening": seen.listening(),
        "apps": [
            {"id": app, "connections": connections.get(app, 0), "channels": channels.get(app, 0)}
            for app in {**connections, **channels}
        ],
        "connections": sum(connections.values()),
        "channels": sum(channels.values()),
        "messages_in_total": tally.messages_in,
        "messages_out_total": tally.deliveries,
        "slow_readers_total": tally.slow_readers_closed,
        "refused_total": sum(seen.edges.refused.values()),
        "reactor_lag_seconds": round(lag.recent_max, 6),
        "certificates": [
            {"names": shown.names, "not_after": iso(shown.expires_at)}
            for _, shown in soonest(seen.certificates)
        ],
        "webhooks": {
            name: getattr(webhooks, name)
            for name in ("queued", "queued_bytes", "sent", "retried", "failed", "dropped")
        },
        "cluster": None,
    }


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
