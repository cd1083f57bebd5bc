"""wsrelay.command.doctor: nothing wrong with a real relay, and each thing that can be wrong."""

from __future__ import annotations

import json
import os
import resource
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.command.conftest import SECRET, Relay, Run
from tests.command.test_status import answering
from tests.tls.authority import Authority


def findings(run: Run, *arguments: str, **environment: str) -> tuple[int, list[dict[str, str]]]:
    ended = run("doctor", "--json", *arguments, **environment)
    told: list[dict[str, str]] = json.loads(ended.out)
    for finding in told:
        assert finding.keys() == {"check", "level", "found", "advice"}
        assert (finding["level"] in ("warning", "fault")) is bool(finding["advice"]), finding
    return ended.code, told


def the(told: list[dict[str, str]], level: str) -> list[tuple[str, str]]:
    """Check and finding, of one level."""
    return [(each["check"], each["found"]) for each in told if each["level"] == level]


def changed(relay: Relay, path: Path, old: str, new: str) -> str:
    """Another configuration than that of the relay that runs."""
    text = relay.file.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    path.chmod(0o600)
    return str(path)


def test_with_a_relay_that_is_well_every_check_is_good(relay: Relay, run: Run) -> None:
    code, told = findings(run, "--config", str(relay.file), "--ca", str(relay.authority))
    assert code == 0
    assert the(told, "fault") == []
    assert {check for check, _ in the(told, "warning")} <= {"descriptors"}
    good = the(told, "good")
    assert {check for check, _ in good} >= {"configuration", "ports", "TLS files", "TLS", "clock"}
    loops = [found for check, found in good if check == "loop-back"]
    assert [found.partition(" an event of app 1001 came back after ")[0] for found in loops] == [
        f"{relay.url}:",
        f"https://127.0.0.1:{relay.tls_port}:",
    ]
    assert any("a chain that this machine trusts, for relay.example" in found for _, found in good)


def test_it_may_look_at_a_relay_from_afar_and_at_another_app(relay: Relay, run: Run) -> None:
    apps = {"PUSHER_APP_ID": "2002", "PUSHER_APP_KEY": "b-key", "PUSHER_APP_SECRET": f"{SECRET}-b"}
    code, told = findings(run, "--url", relay.url, **apps)
    assert code == 0
    assert [each["check"] for each in told] == ["ports", "clock", "loop-back"]
    assert "an event of app 2002" in told[-1]["found"]


def test_the_table_says_what_to_do(relay: Relay, run: Run) -> None:
    ended = run("doctor", "--config", str(relay.file))
    assert ended.code == 0
    assert "good" in ended.out
    assert "does not trust: unable to get local issuer certificate" in ended.out
    assert "→ clients need the whole chain: fullchain.pem" in ended.out


def test_a_relay_that_does_not_run_is_told_with_the_way_to_start_it(
    relay: Relay, run: Run, tmp_path: Path
) -> None:
    config = changed(relay, tmp_path / "other.toml", f"\ntls_port = {relay.tls_port}", "")
    config = changed(relay, tmp_path / "other.toml", f"port = {relay.port}", "port = 1")
    code, told = findings(run, "--config", config)
    assert code == 1
    [fault] = [each for each in told if each["level"] == "fault"]
    assert fault["found"] == "nothing answers: http://127.0.0.1:1: Connection refused"
    assert "twistd -n wsrelay" in fault["advice"]


def test_a_port_where_somebody_else_answers(run: Run) -> None:
    with answering({}) as url:
        port = url.rpartition(":")[2]
        code, told = findings(run, WSRELAY_PORT=port)
    assert code == 1
    [fault] = [each for each in told if each["level"] == "fault"]
    assert fault["found"] == f"{url} answers 404 at /up, which a wsrelay does not"
    assert f"ss -ltnp sport = :{port}" in fault["advice"]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (f'"{SECRET}"', '"another"', "the signature is wrong"),
        ('"a-key"', '"another-key"', "refused: 4001 no app has the key"),
        ('"1001"', '"9009"', "the publish was refused (404: no app has the id '9009')"),
    ],
)
def test_a_relay_that_runs_with_another_app_is_found_out(
    old: str, new: str, found: str, relay: Relay, run: Run, tmp_path: Path
) -> None:
    code, told = findings(run, "--config", changed(relay, tmp_path / "other.toml", old, new))
    assert code == 1
    faults = [each for each in told if each["level"] == "fault"]
    assert [each["check"] for each in faults] == ["loop-back"] * 2
    assert all(found in each["found"] for each in faults), faults
    assert all("compare id, key and secret" in each["advice"] for each in faults)


def test_the_development_app_and_open_files_are_worth_a_warning(
    relay: Relay, run: Run, tmp_path: Path
) -> None:
    _, told = findings(run, WSRELAY_PORT=str(relay.port))
    assert "development app, whose secret is public" in the(told, "warning")[0][1]
    open_file = tmp_path / "open.toml"
    open_file.write_text(relay.file.read_text().replace("[[apps]]", "[[apps]]\nenabled = false", 1))
    open_file.chmod(0o644)
    _, told = findings(run, "--config", str(open_file))
    warnings = [found for check, found in the(told, "warning") if check == "configuration"]
    assert warnings == [
        "app 1001 is disabled",
        f"any user of this machine can read {open_file} and the secrets in it",
    ]


# -- TLS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "level", "text"),
    [
        (-1, "fault", "expired on"),
        (5, "warning", "expires on"),
        (90, "good", "is good until"),
    ],
)
def test_certificates_that_end_are_told_in_time(
    days: int, level: str, text: str, relay: Relay, run: Run, tmp_path: Path
) -> None:
    since = datetime.now(UTC) - timedelta(days=90 - days)
    files = Authority().issue("a.example", days=90, since=since).store(tmp_path)
    _, told = findings(
        run,
        WSRELAY_PORT=str(relay.port),
        WSRELAY_TLS_PORT=str(relay.tls_port),
        WSRELAY_TLS_CERT=files.cert,
        WSRELAY_TLS_KEY=files.key,
    )
    [finding] = [each for each in told if each["found"].startswith(f"{files.cert} ")]
    assert finding["level"] == level
    assert text in finding["found"]
    assert any("shows another certificate than the files hold" in each["found"] for each in told)


def test_a_certificate_that_cannot_be_read_is_a_fault(relay: Relay, run: Run) -> None:
    code, told = findings(
        run,
        WSRELAY_PORT=str(relay.port),
        WSRELAY_TLS_PORT=str(relay.tls_port),
        WSRELAY_TLS_CERT="/nowhere.pem",
        WSRELAY_TLS_KEY="/nowhere.pem",
    )
    assert code == 1
    assert ("TLS files", "/nowhere.pem: can't be read: No such file or directory") in the(
        told, "fault"
    )


def test_a_plain_port_is_no_tls_port(relay: Relay, run: Run) -> None:
    code, told = findings(run, "--url", f"https://localhost:{relay.port}")
    assert code == 1
    assert "TLS: " in told[0]["found"]


# -- webhooks, descriptors, the clock ----------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "level", "text"),
    [
        ("https://127.0.0.1/x", "fault", "127.0.0.1 leads to 127.0.0.1, a loopback address"),
        ("https://198.51.100.7/x", "fault", "private address"),
        ("https://no-such-host.invalid/x", "fault", "does not resolve"),
        ("https://9.9.9.9/x", "good", "9.9.9.9 is 9.9.9.9"),
        ("https://a:0/", "fault", "webhook 1 of app 1001: url: expected http://"),
    ],
)
def test_webhooks_have_to_lead_somewhere(
    url: str, level: str, text: str, relay: Relay, run: Run, tmp_path: Path
) -> None:
    hook = f'"a-key"\nwebhooks = [{{ url = "{url}" }}]'
    _, told = findings(run, "--config", changed(relay, tmp_path / "h.toml", '"a-key"', hook))
    [finding] = [each for each in told if each["check"] == "webhooks"]
    assert finding["level"] == level
    assert text in finding["found"]


def test_private_webhooks_may_be_meant(relay: Relay, run: Run, tmp_path: Path) -> None:
    hook = '"a-key"\nwebhooks = [{ url = "http://127.0.0.1:9/" }]'
    config = changed(relay, tmp_path / "h.toml", '"a-key"', hook)
    _, told = findings(run, "-c", config, WSRELAY_WEBHOOK_PRIVATE_ADDRESSES="true")
    assert ("webhooks", "webhook 1 of app 1001: 127.0.0.1 is 127.0.0.1") in the(told, "good")


def test_few_descriptors_are_worth_a_warning(relay: Relay, run: Run, tmp_path: Path) -> None:
    """Of the relay that runs; where it does not tell its process, of one that is started here."""
    unwatched = changed(relay, tmp_path / "u.toml", f"port = {relay.metrics_port}", "port = 0")
    for process, config, whose in (
        (relay.process._popen.pid, str(relay.file), "the relay"),
        (os.getpid(), unwatched, "a process started here"),
    ):
        before = resource.prlimit(process, resource.RLIMIT_NOFILE)
        resource.prlimit(process, resource.RLIMIT_NOFILE, (1024, before[1]))
        try:
            _, told = findings(run, "--config", config)
        finally:
            resource.prlimit(process, resource.RLIMIT_NOFILE, before)
        [finding] = [each for each in told if each["check"] == "descriptors"]
        assert finding["level"] == "warning"
        assert finding["found"].startswith(f"{whose} may have 1024 open files")
        assert "LimitNOFILE" in finding["advice"]


@pytest.mark.parametrize(
    ("off", "level", "text"),
    [
        (0.0, "good", "agree to 1 s"),
        (100.0, "warning", "s behind; from 600 s on requests are refused"),
        (-700.0, "fault", "s ahead: requests that are signed here are refused"),
    ],
)
def test_a_clock_that_is_off_is_found_by_the_date_of_the_answer(
    off: float, level: str, text: str, relay: Relay, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wsrelay.command import probing

    class Time:
        """The machine's clock, which goes wrong by ``off`` seconds."""

        monotonic = staticmethod(probing.time.monotonic)
        real = staticmethod(probing.time.time)

        @classmethod
        def time(cls) -> float:
            return cls.real() + off

    monkeypatch.setattr(probing, "time", Time)
    _, told = findings(run, "--config", str(relay.file))
    [finding] = [each for each in told if each["check"] == "clock"]
    assert finding["level"] == level, finding
    assert text in finding["found"]


def test_every_kind_of_finding_is_shown(run: Run, tmp_path: Path, relay: Relay) -> None:
    shutil.copy(relay.file, tmp_path / "h.toml")
    hook: Any = '"a-key"\nwebhooks = [{ url = "http://127.0.0.1:9/" }]'
    config = changed(relay, tmp_path / "h.toml", '"a-key"', hook)
    ended = run("doctor", "--config", config)
    assert ended.code == 1
    assert "→ if that is meant, set webhook_private_addresses = true" in ended.out
