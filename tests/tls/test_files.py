"""wsrelay.tls.files, and what a process knows of files that it can't read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from tests.tls.authority import Authority
from wsrelay.config.settings import Certificate, TlsListener
from wsrelay.listening import CannotStart
from wsrelay.tls.certificates import Certificates
from wsrelay.tls.files import contents, with_whole_paths


def test_paths_begin_where_the_relay_was_started() -> None:
    listener = TlsListener(
        certificates=(Certificate(cert="a.pem", key="/keys/b.pem"),), client_ca="../ca.pem"
    )
    whole = with_whole_paths(listener, "/etc/relay")
    assert whole.certificates == (Certificate(cert="/etc/relay/a.pem", key="/keys/b.pem"),)
    assert whole.client_ca == "/etc/ca.pem"
    assert with_whole_paths(whole, "/elsewhere") == whole


def test_what_can_be_read_is_known_by_those_who_can_not(tmp_path: Path) -> None:
    files = Authority().issue("relay.example").store(tmp_path)
    listener = TlsListener(certificates=(files,), client_ca=str(tmp_path / "none.pem"))
    known = contents([listener])
    assert set(known) == {files.cert, files.key}
    plain = [TlsListener(certificates=(files,))]
    os.remove(files.key)
    certificates = Certificates(plain, Clock(), lambda: 0.0, known)
    [pair] = certificates.in_use().values()
    assert pair.names == ["relay.example"]
    with pytest.raises(CannotStart, match="can't be read"):
        Certificates(plain, Clock(), lambda: 0.0)
    with pytest.raises(CannotStart, match="can't be read"):
        Certificates(plain, Clock(), lambda: 0.0, {files.cert: b""})


def test_files_that_can_be_used_count_more_than_what_is_known(tmp_path: Path) -> None:
    authority = Authority()
    files = authority.issue("old.example").store(tmp_path)
    listeners = [TlsListener(certificates=(files,))]
    known = contents(listeners)
    assert authority.issue("new.example").store(tmp_path, "relay") == files
    certificates = Certificates(listeners, Clock(), lambda: 0.0, known)
    [pair] = certificates.in_use().values()
    assert pair.names == ["new.example"]
