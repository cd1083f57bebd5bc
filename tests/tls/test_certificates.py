"""wsrelay.tls.certificates, driven by Twisted's clock; the files and handshakes are real."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.tls.authority import Authority, Issued, new_key, pem_of, rsa_key
from tests.tls.handshake import Handshake, client_context, show_certificate
from wsrelay.config.settings import Certificate, TlsListener
from wsrelay.listening import CannotStart
from wsrelay.tls.certificates import DAY, LOOK_EVERY, Certificates

ROOT = Authority()
NAME = "relay.example"


@pytest.fixture
def log() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)
    assert not [event for event in events if "log_failure" in event]


class Running:
    """Certificates in use, with a clock that stands still until it is told."""

    def __init__(self, log: list[LogEvent], *listeners: TlsListener) -> None:
        self.log = log
        self.clock = Clock()
        began = datetime.now(UTC).timestamp()
        self.certificates = Certificates(
            listeners, self.clock, lambda: began + self.clock.seconds()
        )
        self.certificates.start()

    def pass_(self, seconds: float, step: float = LOOK_EVERY) -> None:
        self.clock.pump([step] * int(seconds / step))

    def said(self) -> list[str]:
        """Level and text of what has been logged since this was asked last."""
        said = [f"{event['log_level'].name}: {formatEvent(event)}" for event in self.log]
        self.log.clear()
        return said

    def serial(self, name: str = NAME, door: int = 0) -> int:
        return self.handshake(name=name, door=door).serial

    def handshake(self, door: int = 0, **more: object) -> Handshake:
        context = client_context(ROOT, check_hostname=False)
        begin = self.certificates.doors[door].serverConnectionForTLS
        more = {"context": context, **more}
        return Handshake(lambda: begin(None), **more)  # type: ignore[arg-type]


def one(files: Certificate, **settings: object) -> TlsListener:
    return TlsListener(certificates=(files,), **settings)  # type: ignore[arg-type]


# -- the start -------------------------------------------------------------------------------


def test_at_the_start_it_says_what_is_used_and_until_when(
    log: list[LogEvent], tmp_path: Path
) -> None:
    issued = ROOT.issue(NAME, "www.relay.example", days=90)
    running = Running(log, one(issued.store(tmp_path)))
    end = issued.certificate.not_valid_after_utc
    assert running.said() == [
        f"info: TLS: the certificate in {tmp_path}/relay-cert.pem for {NAME}, www.relay.example "
        f"is good until {end:%Y-%m-%d %H:%M} UTC"
    ]
    [(path, pair)] = running.certificates.in_use().items()
    assert (path, pair.expires_at) == (f"{tmp_path}/relay-cert.pem", end.timestamp())


def test_without_tls_nothing_is_said_and_nothing_looked_at(log: list[LogEvent]) -> None:
    running = Running(log)
    assert running.said() == []
    assert running.clock.getDelayedCalls() == []
    running.certificates.stop()


@pytest.mark.parametrize("part", ["cert", "key", "chain", "client_ca"])
def test_a_file_that_is_missing_ends_the_start_with_its_name(part: str, tmp_path: Path) -> None:
    listener = one(ROOT.issue(NAME).store(tmp_path))
    missing = str(tmp_path / "missing.pem")
    if part == "client_ca":
        listener = structs.replace(listener, client_ca=missing)
    else:
        files = structs.replace(listener.certificates[0], **{part: missing})
        listener = structs.replace(listener, certificates=(files,))
    with pytest.raises(CannotStart) as raised:
        Certificates([listener], Clock(), lambda: 0)
    assert str(raised.value) == f"wsrelay: tls: {missing}: can't be read: No such file or directory"


def test_a_key_that_openssl_refuses_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    files = ROOT.issue(NAME, key=rsa_key(1024)).store(tmp_path)
    with pytest.raises(CannotStart, match=f"{files.cert} with {files.key}: .* key too small"):
        Certificates([one(files)], Clock(), lambda: 0)


def test_paths_are_those_of_the_start_whatever_the_directory_becomes(
    log: list[LogEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ROOT.issue(NAME).store(tmp_path)
    monkeypatch.chdir(tmp_path)
    running = Running(log, one(Certificate(cert="relay-cert.pem", key="relay-key.pem")))
    monkeypatch.chdir("/")
    new = ROOT.issue(NAME)
    new.store(tmp_path)
    running.certificates.reload()
    assert running.serial() == new.serial


def test_a_key_for_all_to_read_is_warned_of(log: list[LogEvent], tmp_path: Path) -> None:
    files = ROOT.issue(NAME).store(tmp_path)
    os.chmod(files.key, 0o644)
    running = Running(log, one(files))
    assert f"warn: TLS: any user of this machine can read {files.key}" in running.said()


# -- renewal ---------------------------------------------------------------------------------


def test_a_renewed_certificate_is_shown_within_two_looks_and_said_once(
    log: list[LogEvent], tmp_path: Path
) -> None:
    running = Running(log, one(ROOT.issue(NAME).store(tmp_path)))
    running.said()
    new = ROOT.issue(NAME, days=80)
    new.store(tmp_path)
    running.pass_(2 * LOOK_EVERY)
    assert running.serial() == new.serial
    (said,) = running.said()
    assert said.startswith("info: TLS: the certificate in ")
    assert f"{new.certificate.not_valid_after_utc:%Y-%m-%d}" in said
    running.pass_(100)
    assert running.said() == []


def test_renewal_by_links_as_certbot_does_it(log: list[LogEvent], tmp_path: Path) -> None:
    archive, live = tmp_path / "archive", tmp_path / "live"
    archive.mkdir()
    live.mkdir()

    def deploy(number: int, issued: Issued) -> None:
        for name, content in (("fullchain", issued.pem), ("privkey", issued.key_pem)):
            (archive / f"{name}{number}.pem").write_bytes(content)
            (archive / f"{name}{number}.pem").chmod(0o600)
            link = live / f"{name}.pem"
            link.unlink(missing_ok=True)
            link.symlink_to(f"../archive/{name}{number}.pem")

    deploy(1, ROOT.issue(NAME))
    running = Running(
        log, one(Certificate(cert=str(live / "fullchain.pem"), key=str(live / "privkey.pem")))
    )
    new = ROOT.issue(NAME)
    deploy(2, new)
    running.pass_(2 * LOOK_EVERY)
    assert running.serial() == new.serial


def test_on_request_it_is_shown_at_once(log: list[LogEvent], tmp_path: Path) -> None:
    running = Running(log, one(ROOT.issue(NAME).store(tmp_path)))
    new = ROOT.issue(NAME)
    new.store(tmp_path)
    running.certificates.reload()
    assert running.serial() == new.serial


def test_a_certificate_without_its_key_leaves_the_old_one_and_is_said_once(
    log: list[LogEvent], tmp_path: Path
) -> None:
    old, new = ROOT.issue(NAME), ROOT.issue(NAME)
    files = old.store(tmp_path)
    running = Running(log, one(files))
    running.said()
    Path(files.cert).write_bytes(new.pem)
    running.pass_(100)
    assert running.serial() == old.serial
    (said,) = running.said()
    assert said.startswith(f"error: TLS: {files.key}: not the key of the first certificate in ")
    assert said.endswith("; what was read before stays in use")
    Path(files.key).write_bytes(new.key_pem)
    running.pass_(2 * LOOK_EVERY)
    assert running.serial() == new.serial
    (said,) = running.said()
    assert said.startswith("info: TLS: the certificate in ")


def test_a_key_that_follows_its_certificate_in_time_is_no_fault(
    log: list[LogEvent], tmp_path: Path
) -> None:
    files = ROOT.issue(NAME).store(tmp_path)
    running = Running(log, one(files))
    running.said()
    new = ROOT.issue(NAME)
    Path(files.cert).write_bytes(new.pem)
    running.pass_(LOOK_EVERY)
    Path(files.key).write_bytes(new.key_pem)
    running.pass_(2 * LOOK_EVERY)
    assert running.serial() == new.serial
    assert [said.split(":")[0] for said in running.said()] == ["info"]


@pytest.mark.parametrize("damage", ["cut short", "empty", "missing", "a directory", "a short key"])
def test_whatever_is_wrong_with_the_new_files_the_old_certificate_stays(
    damage: str, log: list[LogEvent], tmp_path: Path
) -> None:
    old = ROOT.issue(NAME)
    files = old.store(tmp_path)
    running = Running(log, one(files))
    running.said()
    cert = Path(files.cert)
    if damage == "a short key":
        ROOT.issue(NAME, key=rsa_key(1024)).store(tmp_path)
    elif damage == "cut short":
        cert.write_bytes(ROOT.issue(NAME).pem[:-60])
    elif damage == "empty":
        cert.write_bytes(b"")
    else:
        cert.unlink()
        if damage == "a directory":
            cert.mkdir()
    running.pass_(100)
    (said,) = running.said()
    assert said.startswith(f"error: TLS: {files.cert}")
    assert running.serial() == old.serial
    running.certificates.reload()
    assert len(running.said()) >= 1, "who asks is told again"
    assert running.serial() == old.serial


def test_a_faulty_pair_does_not_keep_the_others_from_being_renewed(
    log: list[LogEvent], tmp_path: Path
) -> None:
    first, second = ROOT.issue("one.example"), ROOT.issue("two.example")
    files = first.store(tmp_path, "one"), second.store(tmp_path, "two")
    running = Running(log, TlsListener(certificates=files))
    Path(files[0].key).write_bytes(pem_of(new_key()))
    new = ROOT.issue("two.example")
    new.store(tmp_path, "two")
    running.pass_(2 * LOOK_EVERY)
    assert running.serial("one.example") == first.serial
    assert running.serial("two.example") == new.serial


def test_listeners_that_share_files_show_the_same_and_it_is_said_once(
    log: list[LogEvent], tmp_path: Path
) -> None:
    files = ROOT.issue(NAME).store(tmp_path)
    running = Running(log, one(files), one(files, port=6444, minimum_version="1.3"))
    assert len(running.said()) == 1
    new = ROOT.issue(NAME)
    new.store(tmp_path)
    running.pass_(2 * LOOK_EVERY)
    assert len(running.said()) == 1
    assert [running.serial(door=0), running.serial(door=1)] == [new.serial, new.serial]


def test_another_authority_for_clients_is_taken_up_as_well(
    log: list[LogEvent], tmp_path: Path
) -> None:
    before, after = Authority("Clients"), Authority("Other clients")
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(before.pem)
    running = Running(log, one(ROOT.issue(NAME).store(tmp_path), client_ca=str(trusted)))
    client = client_context(ROOT)
    show_certificate(client, after.issue("a client"), tmp_path)
    with pytest.raises(Exception, match="certificate verify failed"):
        running.handshake(context=client)
    trusted.write_bytes(before.pem + after.pem)
    running.pass_(2 * LOOK_EVERY)
    running.handshake(context=client)
    trusted.write_bytes(b"")
    running.said()
    running.pass_(2 * LOOK_EVERY)
    assert running.said() == [
        f"error: TLS: {trusted}: no certificate in it: expected PEM, -----BEGIN CERTIFICATE-----; "
        "what was read before stays in use"
    ]
    running.handshake(context=client)


# -- the end ---------------------------------------------------------------------------------


def test_from_two_weeks_before_its_end_a_warning_a_day_and_then_an_error(
    log: list[LogEvent], tmp_path: Path
) -> None:
    files = ROOT.issue(NAME, days=15.5).store(tmp_path)
    running = Running(log, one(files))
    each_day = [running.said()]
    for _ in range(17):
        running.pass_(DAY, step=DAY / 4)
        each_day.append(running.said())
    assert [[said.split(":")[0] for said in day] for day in each_day] == [
        ["info"],
        [],
        *[["warn"]] * 14,
        *[["error"]] * 2,
    ]
    assert f"warn: TLS: the certificate in {files.cert} for {NAME} expires on " in each_day[2][0]
    assert " expired on " in each_day[-1][0]


def test_a_certificate_that_is_short_of_its_end_is_warned_of_at_the_start(
    log: list[LogEvent], tmp_path: Path
) -> None:
    running = Running(log, one(ROOT.issue(NAME, days=3).store(tmp_path)))
    (said,) = running.said()
    assert said.startswith("warn: ")


def test_one_that_has_ended_is_served_all_the_same_and_called_an_error(
    log: list[LogEvent], tmp_path: Path
) -> None:
    running = Running(log, one(ROOT.issue(NAME, days=-0.01).store(tmp_path)))
    (said,) = running.said()
    assert said.startswith("error: ")
    assert "expired on" in said
    with pytest.raises(Exception, match="certificate has expired"):
        running.serial()


def test_one_of_tomorrow_is_called_an_error_that_asks_for_the_clock(
    log: list[LogEvent], tmp_path: Path
) -> None:
    tomorrow = datetime.fromtimestamp(datetime.now(UTC).timestamp() + DAY, UTC)
    running = Running(log, one(ROOT.issue(NAME, since=tomorrow).store(tmp_path)))
    (said,) = running.said()
    assert said.startswith("error: ")
    assert "is the clock right?" in said


def test_the_keys_of_session_tickets_live_for_a_day(log: list[LogEvent], tmp_path: Path) -> None:
    running = Running(log, one(ROOT.issue(NAME).store(tmp_path)))
    client = client_context(ROOT)
    session = running.handshake(context=client).client.session
    running.pass_(DAY / 2, step=DAY / 4)
    assert running.handshake(context=client, session=session).client.session_reused
    running.pass_(DAY / 2, step=DAY / 4)
    assert not running.handshake(context=client, session=session).client.session_reused


def test_when_it_stops_it_looks_no_more(log: list[LogEvent], tmp_path: Path) -> None:
    running = Running(log, one(ROOT.issue(NAME).store(tmp_path)))
    running.certificates.stop()
    assert running.clock.getDelayedCalls() == []
