"""What happened, said once to the observer: webhooks, metrics and the log listen there.

Notices are for edges (a connection opens, a channel is occupied). What happens a hundred
thousand times a second is counted in plain integers instead: see ``Tally``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    app_id: str
    socket_id: str
    peer: str
    #: The client library as it names itself, ``js 8.6.0``; free text, cut short.
    client: str


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    app_id: str
    socket_id: str
    peer: str
    #: The code of the close frame; 1006 when there was none.
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionDenied:
    """A handshake came through and was refused at once."""

    peer: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class SubscriptionDenied:
    app_id: str
    socket_id: str
    channel: str
    status: int
    reason: str
    #: For the operator's log only, never for the client: the text that had to be signed.
    expected: str = ""


@dataclass(frozen=True, slots=True)
class ChannelOccupied:
    app_id: str
    channel: str


@dataclass(frozen=True, slots=True)
class ChannelVacated:
    app_id: str
    channel: str


@dataclass(frozen=True, slots=True)
class MemberAdded:
    app_id: str
    channel: str
    user_id: str


@dataclass(frozen=True, slots=True)
class MemberRemoved:
    app_id: str
    channel: str
    user_id: str


@dataclass(frozen=True, slots=True)
class ClientEventSent:
    """A client event was passed on. Only told for apps that have webhooks: it is frequent."""

    app_id: str
    channel: str
    event: str
    #: The data as delivered.
    data: str
    socket_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class CacheMissed:
    """Somebody subscribed to a cache channel that has nothing to tell."""

    app_id: str
    channel: str


@dataclass(frozen=True, slots=True)
class SubscriptionCounted:
    """The subscribers of a channel were told how many they are."""

    app_id: str
    channel: str
    count: int


Notice = (
    ConnectionOpened
    | ConnectionClosed
    | ConnectionDenied
    | SubscriptionDenied
    | ChannelOccupied
    | ChannelVacated
    | MemberAdded
    | MemberRemoved
    | ClientEventSent
    | CacheMissed
    | SubscriptionCounted
)


class Tally:
    """Counters of the hot path: plain integers that only ever rise."""

    __slots__ = (
        "client_events",
        "client_events_rejected",
        "deliveries",
        "messages_in",
        "messages_malformed",
        "publications",
        "slow_readers_closed",
    )

    def __init__(self) -> None:
        self.messages_in = 0
        self.messages_malformed = 0
        self.client_events = 0
        self.client_events_rejected = 0
        self.publications = 0
        self.deliveries = 0
        self.slow_readers_closed = 0
