"""wsrelay.metrics.status: the document that ``wsrelay status`` and scripts read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from tests.metrics.watching import watched
from tests.signing import APP, SECRET
from tests.tls.authority import Authority
from wsrelay import __version__
from wsrelay.config.settings import TlsListener


def test_the_document_has_all_of_its_fields_and_no_secret() -> None:
    with watched() as seen:
        seen.relay.guest("room", "hall")
        seen.relay.visitor("/app/nobody?protocol=7")
        page = seen.page("/status")
        told = seen.status()
    assert SECRET not in page
    assert APP.key not in page
    started_at = datetime.fromisoformat(told.pop("started_at"))
    assert abs((datetime.now(UTC) - started_at).total_seconds()) < 60
    assert 0 <= told.pop("uptime_seconds") < 60
    assert 0 <= told.pop("reactor_lag_seconds") < 60
    assert told == {
        "version": __version__,
        "pid": os.getpid(),
        "ready": True,
        "reasons": [],
        "listening": ["tcp [::]:6001"],
        "apps": [{"id": APP.id, "connections": 1, "channels": 2}],
        "connections": 1,
        "channels": 2,
        "messages_in_total": 2,
        "messages_out_total": 0,
        "slow_readers_total": 0,
        "refused_total": 1,
        "certificates": [],
        "webhooks": {
            "queued": 0,
            "queued_bytes": 0,
            "sent": 0,
            "retried": 0,
            "failed": 0,
            "dropped": 0,
        },
        "cluster": None,
    }


def test_a_node_that_is_not_ready_tells_all_reasons() -> None:
    with watched() as seen:
        seen.relay.service.readiness.withdraw("redis", "no connection")
        seen.relay.service.readiness.withdraw("drain", "the server is stopping")
        told = seen.status()
    assert (told["ready"], told["reasons"]) == (False, ["no connection", "the server is stopping"])


def test_certificates_are_told_by_their_names_and_ends_the_soonest_first(tmp_path: Path) -> None:
    root = Authority()
    later, sooner = root.issue("later.example", days=50), root.issue("sooner.example", days=5)
    listener = TlsListener(
        port=6443,
        certificates=(later.store(tmp_path, "later"), sooner.store(tmp_path, "sooner")),
    )
    with watched(tls=(listener,)) as seen:
        told = seen.status()
        ends = "wsrelay_tls_certificate_expiry_timestamp_seconds"
        [path] = {path for path in seen.relay.service.certificates.in_use() if "sooner" in path}
        end = sooner.certificate.not_valid_after_utc
        assert seen.sample(ends, file=path) == end.timestamp()
    assert told["certificates"][0] == {
        "names": ["sooner.example"],
        "not_after": end.isoformat(timespec="seconds"),
    }
    assert told["certificates"][1]["names"] == ["later.example"]
