"""wsrelay.tls.profile"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.tls.authority import Authority, Issued, rsa_key
from tests.tls.handshake import Handshake, client_context, show_certificate
from wsrelay.tls.pair import Pair, read_pair
from wsrelay.tls.profile import NoCommonProtocol, new_context

ROOT = Authority()
V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def issued() -> Issued:
    return ROOT.issue("relay.example")


@pytest.fixture
def pair(issued: Issued, tmp_path: Path) -> Pair:
    return read_pair(issued.store(tmp_path))


def shake(server: SSL.Context, client: ssl.SSLContext, **more: object) -> Handshake:
    return Handshake(lambda: SSL.Connection(server, None), client, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("version", "name"), [(V1_2, "TLSv1.2"), (V1_3, "TLSv1.3")])
def test_both_versions_are_spoken(version: ssl.TLSVersion, name: str, pair: Pair) -> None:
    client = client_context(ROOT, minimum_version=version, maximum_version=version)
    assert shake(new_context(pair, "1.2"), client).client.version() == name


def test_1_3_is_taken_where_both_can(pair: Pair) -> None:
    assert shake(new_context(pair, "1.2"), client_context(ROOT)).client.version() == "TLSv1.3"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("minimum", "most"), [("1.2", ssl.TLSVersion.TLSv1_1), ("1.3", ssl.TLSVersion.TLSv1_2)]
)
def test_an_older_version_than_the_minimum_is_refused(
    minimum: str, most: ssl.TLSVersion, pair: Pair
) -> None:
    client = client_context(ROOT)
    client.set_ciphers("ALL:@SECLEVEL=0")  # or it would not even offer TLS 1.1
    client.minimum_version = client.maximum_version = most
    with pytest.raises((ssl.SSLError, SSL.Error)) as raised:
        shake(new_context(pair, minimum), client)
    assert "unsupported protocol" in str(raised.value) or "PROTOCOL_VERSION" in str(raised.value)


@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"])
def test_every_cipher_of_the_profile_is_spoken(kind: str, cipher: str, tmp_path: Path) -> None:
    issued = ROOT.issue("relay.example", key=rsa_key() if kind == "RSA" else None)
    client = client_context(ROOT, maximum_version=V1_2)
    client.set_ciphers(f"ECDHE-{kind}-{cipher}")
    spoken = shake(new_context(read_pair(issued.store(tmp_path)), "1.2"), client).client.cipher()
    assert spoken is not None
    assert spoken[0] == f"ECDHE-{kind}-{cipher}"


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA"])
def test_a_cipher_without_authentication_of_what_it_carries_is_refused(
    cipher: str, pair: Pair
) -> None:
    client = client_context(ROOT, maximum_version=V1_2)
    client.set_ciphers(cipher)
    with pytest.raises(SSL.Error, match="no shared cipher"):
        shake(new_context(pair, "1.2"), client)


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1", "X25519"])
def test_the_curves_of_the_profile_are_spoken(curve: str, pair: Pair) -> None:
    client = client_context(ROOT)
    client.set_ecdh_curve(curve)
    shake(new_context(pair, "1.2"), client)


@pytest.mark.parametrize("curve", ["secp521r1", "X448"])
def test_other_curves_are_not(curve: str, pair: Pair) -> None:
    client = client_context(ROOT)
    client.set_ecdh_curve(curve)
    with pytest.raises(SSL.Error):
        shake(new_context(pair, "1.2"), client)


def test_a_key_exchange_that_outlasts_quantum_computers_is_preferred(pair: Pair) -> None:
    # Python's own OpenSSL may be too old for it: the client is the one that we have.
    server = SSL.Connection(new_context(pair, "1.2"), None)
    server.set_accept_state()
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    client.set_connect_state()
    for one, other in ((client, server), (server, client)):
        with contextlib.suppress(SSL.WantReadError):
            one.do_handshake()
        other.bio_write(one.bio_read(65536))
    client.do_handshake()
    assert client.get_group_name() == "X25519MLKEM768"


def test_http_1_1_is_taken_and_http_2_is_not_offered(pair: Pair) -> None:
    client = client_context(ROOT)
    client.set_alpn_protocols(["h2", "http/1.1"])
    assert shake(new_context(pair, "1.2"), client).client.selected_alpn_protocol() == "http/1.1"


def test_a_client_that_names_no_protocol_is_served(pair: Pair) -> None:
    handshake = shake(new_context(pair, "1.2"), client_context(ROOT))
    assert handshake.client.selected_alpn_protocol() is None


@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_a_client_of_http_2_alone_is_refused(version: ssl.TLSVersion, pair: Pair) -> None:
    client = client_context(ROOT, minimum_version=version, maximum_version=version)
    client.set_alpn_protocols(["h2"])
    context = new_context(pair, "1.2")
    with pytest.raises(NoCommonProtocol):
        shake(context, client)
    client.set_alpn_protocols(["http/1.1"])
    shake(context, client)  # nobody else suffers


def test_a_chain_is_sent_along(tmp_path: Path) -> None:
    issued = Authority("Between", above=Authority("Higher", above=ROOT)).issue("relay.example")
    context = new_context(read_pair(issued.store(tmp_path)), "1.2")
    assert shake(context, client_context(ROOT)).serial == issued.serial


def test_a_key_that_is_too_short_is_refused_by_openssl(tmp_path: Path) -> None:
    short = ROOT.issue("relay.example", key=rsa_key(1024))
    with pytest.raises(SSL.Error, match="key too small"):
        new_context(read_pair(short.store(tmp_path)), "1.2")


@pytest.mark.parametrize("version", [V1_2, V1_3])
def test_a_client_resumes_by_its_ticket_with_the_same_context_only(
    version: ssl.TLSVersion, pair: Pair
) -> None:
    client = client_context(ROOT, minimum_version=version, maximum_version=version)
    context = new_context(pair, "1.2")
    first = shake(context, client)
    assert not first.client.session_reused
    assert shake(context, client, session=first.client.session).client.session_reused
    renewed = shake(new_context(pair, "1.2"), client, session=first.client.session)
    assert not renewed.client.session_reused


class TestClientCertificates:
    """A listener with ``client_ca``."""

    OWN = Authority("Clients")

    @pytest.mark.parametrize("version", [V1_2, V1_3])
    def test_one_of_the_authority_is_let_in(
        self, version: ssl.TLSVersion, pair: Pair, tmp_path: Path
    ) -> None:
        client = client_context(ROOT, minimum_version=version, maximum_version=version)
        show_certificate(client, self.OWN.issue("a client"), tmp_path)
        context = new_context(pair, "1.2", [self.OWN.certificate])
        first = shake(context, client)
        assert shake(context, client, session=first.client.session).client.session_reused

    @pytest.mark.parametrize("version", [V1_2, V1_3])
    def test_none_is_refused_where_one_is_required(
        self, version: ssl.TLSVersion, pair: Pair
    ) -> None:
        client = client_context(ROOT, minimum_version=version, maximum_version=version)
        with pytest.raises(SSL.Error, match="peer did not return a certificate"):
            shake(new_context(pair, "1.2", [self.OWN.certificate]), client)

    @pytest.mark.parametrize("is_required", [True, False])
    def test_one_of_a_stranger_is_refused_even_where_none_is_required(
        self, is_required: bool, pair: Pair, tmp_path: Path
    ) -> None:
        client = client_context(ROOT)
        show_certificate(client, ROOT.issue("a stranger"), tmp_path)
        context = new_context(
            pair, "1.2", [self.OWN.certificate], requires_client_certificate=is_required
        )
        with pytest.raises(SSL.Error, match="certificate verify failed"):
            shake(context, client)

    def test_none_is_let_in_where_it_is_optional(self, pair: Pair) -> None:
        context = new_context(
            pair, "1.2", [self.OWN.certificate], requires_client_certificate=False
        )
        shake(context, client_context(ROOT))

    def test_one_that_has_ended_is_refused(self, pair: Pair, tmp_path: Path) -> None:
        client = client_context(ROOT)
        show_certificate(client, self.OWN.issue("a client", days=-0.01), tmp_path)
        with pytest.raises(SSL.Error, match="certificate verify failed"):
            shake(new_context(pair, "1.2", [self.OWN.certificate]), client)
