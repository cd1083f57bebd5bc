"""An authority of our own, and the certificates it issues."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wsrelay.config.settings import Certificate

Key = CertificateIssuerPrivateKeyTypes


def pem_of(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and those between it and the root."""

    certificate: x509.Certificate
    key: Key
    between: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        return b"".join(each.public_bytes(Encoding.PEM) for each in self.between)

    @property
    def key_pem(self) -> bytes:
        return pem_of(self.key)

    @property
    def serial(self) -> int:
        return self.certificate.serial_number

    def store(self, directory: Path, name: str = "relay") -> Certificate:
        """Write both files, as certbot does; the settings that name them."""
        cert, key = directory / f"{name}-cert.pem", directory / f"{name}-key.pem"
        cert.write_bytes(self.pem + self.chain_pem)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)
        return Certificate(cert=str(cert), key=str(key))


class Authority:
    """A root, or something between it and the servers."""

    def __init__(self, name: str = "Root", above: Authority | None = None) -> None:
        self.key = new_key()
        self.name = _named(name)
        self._above = above
        self._between: tuple[x509.Certificate, ...] = ()
        issuer = above or self
        builder = _begun(self.name, issuer, self.key, datetime.now(UTC), 3650)
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        builder = builder.add_extension(_SIGNS_OTHERS, critical=True)
        self.certificate = builder.sign(issuer.key, hashes.SHA256())
        if above is not None:
            self._between = (self.certificate, *above._between)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        *names: str,
        days: float = 90,
        since: datetime | None = None,
        key: Key | None = None,
        common_name: str = "a server",
    ) -> Issued:
        """A certificate for these hosts and addresses, valid from an hour before ``since``."""
        key = new_key() if key is None else key
        since = datetime.now(UTC) if since is None else since
        builder = _begun(_named(common_name), self, key, since, days)
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False
            )
        return Issued(builder.sign(self.key, hashes.SHA256()), key, self._between)


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


_SIGNS_OTHERS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _begun(
    subject: x509.Name, issuer: Authority, key: Key, since: datetime, days: float
) -> x509.CertificateBuilder:
    """With what RFC 5280 asks of every certificate: strict clients look for it."""
    own, issuers = (
        x509.SubjectKeyIdentifier.from_public_key(each.public_key()) for each in (key, issuer.key)
    )
    return (
        x509.CertificateBuilder()
        .add_extension(own, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuers), critical=False
        )
        .subject_name(subject)
        .issuer_name(issuer.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - timedelta(hours=1))
        .not_valid_after(since + timedelta(days=days))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
