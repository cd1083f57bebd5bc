"""wsrelay.tls.pair"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from msgspec import structs

from tests.tls.authority import Authority, new_key, pem_of, rsa_key
from wsrelay.config.settings import Certificate
from wsrelay.tls.pair import Unusable, read_certificates, read_pair

ROOT = Authority()


def fault_of(files: Certificate) -> str:
    with pytest.raises(Unusable) as raised:
        read_pair(files)
    told = str(raised.value)
    assert "\n" not in told
    return told


def test_a_pair_is_read_with_its_names_and_its_end(tmp_path: Path) -> None:
    issued = ROOT.issue("Relay.example", "*.relay.example", "192.0.2.7")
    pair = read_pair(issued.store(tmp_path))
    assert (pair.leaf, list(pair.chain)) == (issued.certificate, [])
    assert list(pair.names) == ["relay.example", "*.relay.example"]
    assert pair.expires_at == issued.certificate.not_valid_after_utc.timestamp()
    assert pair.valid_from == issued.certificate.not_valid_before_utc.timestamp()
    assert not pair.is_key_open_to_all


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_keys_of_both_kinds_and_forms_are_read(
    form: PrivateFormat, kind: str, tmp_path: Path
) -> None:
    issued = ROOT.issue("relay.example", key=new_key() if kind == "EC" else rsa_key())
    files = issued.store(tmp_path)
    Path(files.key).write_bytes(issued.key.private_bytes(Encoding.PEM, form, NoEncryption()))
    assert read_pair(files).leaf == issued.certificate


def test_those_who_vouch_stand_behind_it_or_in_a_file_of_their_own(tmp_path: Path) -> None:
    issued = Authority("Between", above=ROOT).issue("relay.example")
    files = issued.store(tmp_path)
    assert list(read_pair(files).chain) == list(issued.between)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(issued.chain_pem)
    both = structs.replace(files, chain=str(chain))
    assert list(read_pair(both).chain) == list(issued.between), "said twice, sent once"
    Path(files.cert).write_bytes(issued.pem)
    assert list(read_pair(both).chain) == list(issued.between)


def test_certificate_and_key_may_share_a_file(tmp_path: Path) -> None:
    issued = ROOT.issue("relay.example")
    path = tmp_path / "both.pem"
    path.write_bytes(issued.pem + issued.key_pem)
    assert read_pair(Certificate(cert=str(path), key=str(path))).leaf == issued.certificate


def test_names_of_the_settings_stand_instead_of_its_own(tmp_path: Path) -> None:
    files = ROOT.issue("relay.example").store(tmp_path)
    pair = read_pair(structs.replace(files, names=("Other.example.", "*.Example.org")))
    assert list(pair.names) == ["other.example", "*.example.org"]


def test_a_certificate_without_names_has_none_whatever_its_subject(tmp_path: Path) -> None:
    assert list(read_pair(ROOT.issue(common_name="relay.example").store(tmp_path)).names) == []


def test_a_key_that_everybody_can_read_is_noticed(tmp_path: Path) -> None:
    files = ROOT.issue("relay.example").store(tmp_path)
    os.chmod(files.key, 0o640)
    assert not read_pair(files).is_key_open_to_all
    os.chmod(files.key, 0o644)
    assert read_pair(files).is_key_open_to_all


@pytest.mark.parametrize("part", ["cert", "key"])
def test_a_missing_file_is_named(part: str, tmp_path: Path) -> None:
    files = ROOT.issue("relay.example").store(tmp_path)
    path = getattr(files, part)
    os.unlink(path)
    assert fault_of(files) == f"{path}: can't be read: No such file or directory"


def test_a_key_without_its_certificate_is_refused(tmp_path: Path) -> None:
    files = ROOT.issue("relay.example").store(tmp_path)
    Path(files.key).write_bytes(pem_of(new_key()))
    told = fault_of(files)
    assert told.startswith(f"{files.key}: not the key of the first certificate in {files.cert}")


def test_a_key_with_a_passphrase_is_refused_with_the_way_out(tmp_path: Path) -> None:
    issued = ROOT.issue("relay.example")
    files = issued.store(tmp_path)
    locked = issued.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hush")
    )
    Path(files.key).write_bytes(locked)
    told = fault_of(files)
    assert told.startswith(f"{files.key}: the key has a passphrase")
    assert "openssl pkey" in told


PUBLIC_KEY = new_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind\n", PUBLIC_KEY])
def test_what_is_no_key_is_refused(content: bytes, tmp_path: Path) -> None:
    files = ROOT.issue("relay.example").store(tmp_path)
    Path(files.key).write_bytes(content)
    assert fault_of(files).startswith(f"{files.key}: no private key in it, or a damaged one")


def test_swapped_files_are_told_by_what_was_expected(tmp_path: Path) -> None:
    files = ROOT.issue("relay.example").store(tmp_path)
    told = fault_of(Certificate(cert=files.key, key=files.cert))
    assert told == f"{files.key}: no certificate in it: expected PEM, -----BEGIN CERTIFICATE-----"


def test_no_part_of_a_key_is_ever_told(tmp_path: Path) -> None:
    issued = ROOT.issue("relay.example")
    files = issued.store(tmp_path)
    secret = issued.key_pem.decode().splitlines()[1]
    Path(files.key).write_bytes(issued.key_pem[:-40])
    assert secret[:8] not in fault_of(files)
    assert secret[:8] not in fault_of(Certificate(cert=files.key, key=files.cert))


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    issued = Authority("Between", above=ROOT).issue("relay.example")
    whole = (issued.pem + issued.chain_pem).rstrip(b"\n")
    path = tmp_path / "cert.pem"
    ends_a_certificate = len(issued.pem.rstrip(b"\n"))
    for length in range(0, len(whole), 7):
        # At the end of the first certificate it is whole, and no reader can know of the second.
        if ends_a_certificate <= length <= ends_a_certificate + len("\n-----BEGIN CERTIFICATE----"):
            continue
        path.write_bytes(whole[:length])
        with pytest.raises(Unusable, match=str(path)):
            read_certificates(str(path))
    path.write_bytes(whole)
    assert read_certificates(str(path)) == [issued.certificate, *issued.between]


def test_a_damaged_certificate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cert.pem"
    lines = ROOT.pem.splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"AAAA" + lines[1][4:], *lines[2:]]))
    with pytest.raises(Unusable, match="cut short or damaged"):
        read_certificates(str(path))
