"""Proof: HMAC-SHA256 signatures of subscriptions, compared in constant time.

What was signed is kept in ``SignatureMismatch.expected`` for the operator's log; a client is
never told.
"""

from __future__ import annotations

import hmac

from ..core.apps import App


class SignatureMismatch(Exception):
    """``message`` is fit for the client; ``expected`` is the text that had to be signed."""

    def __init__(self, message: str, expected: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected


def sign(app: App, text: str) -> str:
    """64 lower-case hex digits."""
    return hmac.digest(app.secret.reveal(), text.encode(), "sha256").hex()


def is_signed(app: App, text: str, signature: str) -> bool:
    """Whether ``signature`` is this app's signature of ``text``."""
    return hmac.compare_digest(sign(app, text).encode(), signature.encode("utf-8", "replace"))


def check_subscription(
    app: App,
    socket_id: str,
    channel: str,
    auth: str | None,
    channel_data: str | None,
    has_presence: bool,
) -> None:
    """Raise ``SignatureMismatch`` unless ``auth`` (``KEY:HEX``) proves the right to subscribe.

    On presence channels ``channel_data`` is part of what is signed. On private channels some
    backends sign it too, so either form is good; ``:`` cannot occur in a channel's name, which
    keeps the two apart.
    """
    if not auth:
        raise SignatureMismatch(
            f"{channel} needs an auth token: the client's authEndpoint has to return one"
        )
    signature = _signature_in(app, auth)
    plain = f"{socket_id}:{channel}"
    with_data = f"{plain}:{channel_data}"
    if has_presence:
        accepted = [plain if channel_data is None else with_data]
    else:
        accepted = [plain] if channel_data is None else [plain, with_data]
    if not any(is_signed(app, text, signature) for text in accepted):
        raise SignatureMismatch(
            "the signature is wrong: expected the HMAC-SHA256 (hex) of socket_id:channel_name"
            + (":channel_data" if has_presence else "")
            + ", made with this app's secret for this connection's socket_id",
            expected=" or ".join(accepted),
        )


def check_sign_in(app: App, socket_id: str, auth: str | None, user_data: str | None) -> None:
    """Raise ``SignatureMismatch`` unless ``auth`` proves that the app vouches for ``user_data``."""
    if not auth or user_data is None:
        raise SignatureMismatch("a sign-in needs auth and user_data, both strings")
    text = f"{socket_id}::user::{user_data}"
    if not is_signed(app, text, _signature_in(app, auth)):
        raise SignatureMismatch(
            "the signature is wrong: expected the HMAC-SHA256 (hex) of "
            "socket_id::user::user_data, made with this app's secret for this connection's "
            "socket_id",
            expected=text,
        )


def _signature_in(app: App, auth: str) -> str:
    """The part of ``KEY:HEX`` behind the first colon, if the key is this app's."""
    key, colon, signature = auth.partition(":")
    if not colon:
        raise SignatureMismatch("the auth token must have the form KEY:SIGNATURE")
    if key != app.key:
        raise SignatureMismatch(
            "the auth token was made with another app's key: "
            "the backend and the client must use the same app"
        )
    return signature
