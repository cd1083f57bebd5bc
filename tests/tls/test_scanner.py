"""Mozilla's intermediate profile, judged by sslyze at a running server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.processes import running
from tests.tls.authority import Authority, rsa_key
from tests.tls.scanner import scan


@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_a_running_server_keeps_to_the_intermediate_profile(kind: str, tmp_path: Path) -> None:
    root = Authority()
    (tmp_path / "root.pem").write_bytes(root.pem)
    between = Authority("Between", above=root)
    issued = between.issue("localhost", key=rsa_key() if kind == "RSA" else None)
    files = issued.store(tmp_path)
    options = ("--port", "0", "--tls-port", "0", "--tls-cert", files.cert, "--tls-key", files.key)
    with running("twistd", "-n", "--pidfile=", "wsrelay", *options, cwd=tmp_path) as relay:
        port = int(relay.wait_for(r"127.0.0.1:(\d+) \(TLS\)")[1])
        told, found = scan(port, tmp_path / "root.pem", "--resum", "--early_data")
        relay.end()
        assert "Traceback" not in relay.text
    assert f"localhost:{port}: OK - Compliant." in told, told

    # The profile allows more than we speak, and says nothing of these.
    ciphers = {
        name: {
            each["cipher_suite"]["openssl_name"] for each in found[name]["accepted_cipher_suites"]
        }
        for name in ("tls_1_2_cipher_suites", "tls_1_3_cipher_suites")
    }
    assert ciphers["tls_1_2_cipher_suites"] == {
        f"ECDHE-{kind}-{rest}"
        for rest in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    }
    assert len(ciphers["tls_1_3_cipher_suites"]) == 3
    curves = {curve["name"] for curve in found["elliptic_curves"]["supported_curves"]}
    assert curves == {"X25519", "secp256r1", "secp384r1"}
    renegotiation = found["session_renegotiation"]
    assert not renegotiation["is_vulnerable_to_client_renegotiation_dos"]
    assert not found["tls_1_3_early_data"]["supports_early_data"]
    assert found["session_resumption"]["tls_ticket_resumption_result"] == "FULLY_SUPPORTED"
