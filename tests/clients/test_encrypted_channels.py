"""End-to-end encrypted channels: a backend library encrypts, pusher-js reads, the server cannot."""

from __future__ import annotations

import pytest

from tests.clients.backends import Backend, NpmPusher, refused_with
from tests.clients.features import Feature
from tests.clients.sdks import NewEcho, NewPusherJs, Unique

BUILD = "pusher-js/with-encryption"


@pytest.mark.feature(Feature.ENCRYPTED)
def test_a_client_reads_what_a_backend_has_encrypted(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    vault, ada = unique("private-encrypted-vault"), pusher_js("ada", backend, build=BUILD)
    ada.subscribe(vault, "note")
    backend.trigger(vault, "note", {"secret": "Zoë 🦊"})
    assert ada.hear("note", vault).data == {"secret": "Zoë 🦊"}
    assert {*ada.hear_frame("note", vault).data} == {"nonce", "ciphertext"}


@pytest.mark.feature(Feature.ENCRYPTED)
def test_echo_reads_what_a_backend_has_encrypted(
    echo: NewEcho, publisher: NpmPusher, unique: Unique
) -> None:
    vault, ada = unique("vault"), echo("ada", build=BUILD)
    ada.open("encryptedPrivate", vault, ".note")
    publisher.trigger(f"private-encrypted-{vault}", "note", {"secret": 7})
    assert ada.hear(".note", vault).data == {"secret": 7}


@pytest.mark.feature(Feature.ENCRYPTED_SIZE)
@pytest.mark.app(max_event_bytes=4000)
def test_the_size_limit_counts_the_plaintext(
    pusher_js: NewPusherJs, backend: Backend, unique: Unique
) -> None:
    vault, ada = unique("private-encrypted-vault"), pusher_js("ada", backend, build=BUILD)
    ada.subscribe(vault, "note")
    at_the_limit = ["x" * (4000 - len('[""]'))]
    backend.trigger(vault, "note", at_the_limit)
    assert ada.hear("note", vault).data == at_the_limit
    # The server can tell to a hundred bytes how much has been encrypted.
    above = ["x" * 4100]
    assert refused_with(lambda: backend.trigger(vault, "note", above)) == 413
