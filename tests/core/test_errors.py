"""wsrelay.core.errors"""

from __future__ import annotations

import pytest

from wsrelay.core.errors import (
    Code,
    ConnectionRefused,
    EventRejected,
    PublishRefused,
    RelayError,
    SubscriptionRefused,
)

#: Pusher's own numbers (protocol reference, error and close codes), and one more in its style.
PUBLISHED = {
    "TLS_REQUIRED": 4000,
    "APP_NOT_FOUND": 4001,
    "APP_DISABLED": 4003,
    "OVER_CONNECTION_QUOTA": 4004,
    "VERSION_MALFORMED": 4006,
    "VERSION_UNSUPPORTED": 4007,
    "VERSION_MISSING": 4008,
    "UNAUTHORIZED": 4009,
    "OVER_CAPACITY": 4100,
    "RECONNECT_NOW": 4200,
    "NO_PONG": 4201,
    "BAD_MESSAGE": 4300,
    "CLIENT_EVENT_REJECTED": 4301,
    "WATCHLIST_TOO_LONG": 4302,
    "NOBODY_THERE": 4303,
}


def test_the_codes_are_the_protocols_and_one_of_ours() -> None:
    assert {code.name: int(code) for code in Code} == PUBLISHED


@pytest.mark.parametrize(
    "refusal",
    [
        ConnectionRefused(Code.APP_NOT_FOUND, "why"),
        SubscriptionRefused("room", 401, "AuthError", "why"),
        EventRejected(Code.BAD_MESSAGE, "why"),
        PublishRefused(400, "why"),
    ],
)
def test_every_refusal_is_a_relay_error_that_says_why(refusal: RelayError) -> None:
    assert isinstance(refusal, RelayError)
    assert refusal.message == str(refusal) == "why"


def test_a_refusal_carries_what_its_peer_is_told() -> None:
    assert ConnectionRefused(Code.APP_NOT_FOUND, "").code is Code.APP_NOT_FOUND
    rejected = EventRejected(Code.BAD_MESSAGE, "", to="ada")
    assert (rejected.code, rejected.details) == (Code.BAD_MESSAGE, {"to": "ada"})
    assert PublishRefused(413, "").status == 413
    refused = SubscriptionRefused("room", 401, "AuthError", "")
    assert (refused.channel, refused.status, refused.kind) == ("room", 401, "AuthError")
