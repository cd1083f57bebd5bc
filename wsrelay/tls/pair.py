"""A certificate and its key, read whole from their files, or refused with the reason."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ..config.settings import Certificate

_begins_in = re.compile(rb"^-----BEGIN CERTIFICATE-----", re.MULTILINE).findall


#: What stands in the file with this path. Raises ``Unusable``.
ContentOf = Callable[[str], bytes]


class Unusable(Exception):
    """One line: the file, and what was expected of it. Never a part of a key."""


@dataclass(frozen=True)
class Pair:
    """What a server shows, and what proves that it may."""

    leaf: x509.Certificate
    chain: Sequence[x509.Certificate]
    key: PrivateKeyTypes
    #: In lower case: ``relay.example``, ``*.relay.example``.
    names: Sequence[str]
    #: Seconds since the epoch.
    valid_from: float
    expires_at: float
    is_key_open_to_all: bool


def content_of(path: str) -> bytes:
    """What stands in the file. Raises ``Unusable``."""
    try:
        return Path(path).read_bytes()
    except PermissionError as error:
        raise Unusable(f"{path}: may not be read by the user with uid {os.geteuid()}") from error
    except OSError as error:
        raise Unusable(f"{path}: can't be read: {error.strerror}") from error


def read_pair(files: Certificate, content_of: ContentOf = content_of) -> Pair:
    """The certificate in these files. Raises ``Unusable``."""
    leaf, *chain = read_certificates(files.cert, content_of)
    if files.chain:
        further = read_certificates(files.chain, content_of)
        chain += [each for each in further if each not in (leaf, *chain)]
    key = _key_in(files.key, content_of)
    if key.public_key() != leaf.public_key():
        raise Unusable(
            f"{files.key}: not the key of the first certificate in {files.cert}: expected the one "
            "that this was made for"
        )
    return Pair(
        leaf,
        chain,
        key,
        [name.lower().rstrip(".") for name in files.names or _names_of(leaf)],
        leaf.not_valid_before_utc.timestamp(),
        leaf.not_valid_after_utc.timestamp(),
        _is_open_to_all(files.key),
    )


def read_certificates(path: str, content_of: ContentOf = content_of) -> list[x509.Certificate]:
    """The certificates of a PEM file, at least one. Raises ``Unusable``."""
    content = content_of(path)
    expected = len(_begins_in(content))
    try:
        certificates = x509.load_pem_x509_certificates(content) if expected else []
    except ValueError as error:
        raise Unusable(f"{path}: a certificate in it is cut short or damaged") from error
    if not certificates:
        raise Unusable(f"{path}: no certificate in it: expected PEM, -----BEGIN CERTIFICATE-----")
    if len(certificates) < expected:
        raise Unusable(f"{path}: the last certificate in it is cut short")
    return certificates


def _key_in(path: str, content_of: ContentOf) -> PrivateKeyTypes:
    content = content_of(path)
    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise Unusable(
            f"{path}: the key has a passphrase, and nobody is there to give it: store it without "
            "one, readable for the service alone (openssl pkey -in FILE -out NEW)"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unusable(
            f"{path}: no private key in it, or a damaged one: expected PEM, "
            "-----BEGIN PRIVATE KEY-----"
        ) from error


def _is_open_to_all(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:  # gone since it was read: the next look will tell
        return False


def _names_of(leaf: x509.Certificate) -> Sequence[str]:
    """The names of hosts that it is for (RFC 6125: the common name is none of them)."""
    try:
        own = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return own.value.get_values_for_type(x509.DNSName)
