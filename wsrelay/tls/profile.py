"""How TLS is spoken: Mozilla's intermediate profile, as an OpenSSL context.

Version 5.8 of https://ssl-config.mozilla.org/guidelines: TLS 1.2 and 1.3, only ciphers with
forward secrecy and authentication, the client's choice among them.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.x509 import Certificate
from OpenSSL import SSL
from OpenSSL._util import lib
from OpenSSL.crypto import X509

from .pair import Pair

CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
CIPHERS_OF_1_3 = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#: A question mark: where this OpenSSL has it.
CURVES = b"?X25519MLKEM768:X25519:prime256v1:secp384r1"

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_ALPN = b"http/1.1"


class NoCommonProtocol(SSL.Error):
    """The client speaks HTTP/2 or something else, but not HTTP/1.1."""


def new_context(
    pair: Pair,
    minimum_version: str,
    authorities: Sequence[Certificate] = (),
    *,
    requires_client_certificate: bool = True,
) -> SSL.Context:
    """A context that shows this certificate; with authorities, it asks clients for theirs.

    Raises ``SSL.Error`` for a certificate that OpenSSL won't have: too short a key, for one.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(_VERSIONS[minimum_version])
    context.set_cipher_list(CIPHERS)
    context.set_tls13_ciphersuites(CIPHERS_OF_1_3)
    # pyOpenSSL (26.4) has no public way to name more than one curve. Should this one go, OpenSSL's
    # own choice, which has two curves more, is no reason not to start.
    if name_curves := getattr(lib, "SSL_CTX_set1_curves_list", None):
        name_curves(context._context, CURVES)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    # Idle connections, which most are, give their buffers back: 34 KB each.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Resumption by tickets only; their key is the context's own and goes with it.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"wsrelay")
    context.set_alpn_select_callback(_select)
    context.use_certificate(pair.leaf)
    for certificate in pair.chain:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(pair.key)  # type: ignore[arg-type]  # it refuses what it can't use
    if authorities:
        store = context.get_cert_store()
        assert store is not None
        for authority in authorities:
            store.add_cert(X509.from_cryptography(authority))
            context.add_client_ca(authority)
        strictness = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if requires_client_certificate else 0
        context.set_verify(SSL.VERIFY_PEER | strictness)
    return context


def _select(connection: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    """``http/1.1``, or the alert that nothing fits (RFC 7301, 3.2)."""
    if _ALPN not in offered:
        raise NoCommonProtocol([("", "", "no application protocol")])
    return _ALPN
