"""Every code that a client may meet, and the exceptions that carry them.

The number decides what stock clients do (protocol reference, Pusher's close codes):

* 4000-4099: the client stops for good and waits for its page to call ``connect()``;
* 4100-4199: it comes back after one second;
* 4200-4299: it comes back at once;
* 4300 and above: pusher-js stops for good when such a code *closes* the connection, so these
  are only ever sent in-band, as a ``pusher:error``.

    RelayError
    +-- ConnectionRefused     the connection is told why, and closed
    +-- SubscriptionRefused   one subscription fails, the connection stays open
    +-- EventRejected         one message is rejected, the connection stays open
    +-- PublishRefused        an HTTP request fails, nothing was delivered
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Pusher's error and close codes."""

    TLS_REQUIRED = 4000
    APP_NOT_FOUND = 4001
    APP_DISABLED = 4003
    OVER_CONNECTION_QUOTA = 4004
    VERSION_MALFORMED = 4006
    VERSION_UNSUPPORTED = 4007
    VERSION_MISSING = 4008
    UNAUTHORIZED = 4009
    OVER_CAPACITY = 4100
    RECONNECT_NOW = 4200
    NO_PONG = 4201
    #: In-band only: a message that could not be understood.
    BAD_MESSAGE = 4300
    #: In-band only: a client event that was not passed on.
    CLIENT_EVENT_REJECTED = 4301
    #: In-band only: more users are watched than may be; the first ones are.
    WATCHLIST_TOO_LONG = 4302
    #: In-band only: a directed client event names nobody who is in the channel.
    NOBODY_THERE = 4303


class RelayError(Exception):
    """The root of all refusals; ``message`` is fit for the client's eyes."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConnectionRefused(RelayError):
    """This connection cannot go on: say ``code`` and ``message``, then close with both."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class SubscriptionRefused(RelayError):
    """One subscription fails; ``status`` is HTTP-like (400, 401, 403, 413)."""

    def __init__(self, channel: str, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.channel = channel
        self.status = status
        #: What pusher-js shows as ``type``: ``AuthError``, ``LimitReached``, ``InvalidName``.
        self.kind = kind


class EventRejected(RelayError):
    """One message of a client is not acted upon.

    ``details`` are told beside code and message, for programs to act on.
    """

    def __init__(self, code: Code, message: str, **details: str) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


class PublishRefused(RelayError):
    """An HTTP API request fails with ``status``; nothing of it was delivered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
