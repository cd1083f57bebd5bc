"""What happened, said once to the observer: webhooks, metrics and the log listen there.

Notices are for edges (a connection opens, a channel is occupied). What happens a hundred
thousand times a second is counted in plain integers instead: see ``Tally``.
"""

from __future__ import annotations

from dataclasses import dataclass

from .distribution import Distribution
from .errors import Code


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
    """Counters of the hot path: plain integers, read when somebody asks.

    They only ever rise, except those that begin with ``held``, which say what is so now.
    """

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "client_events",
        "client_events_superseded",
        "connections_turned_away",
        "deliveries",
        "fan_outs",
        "frames_superseded",
        "handshakes_failed",
        "held_bytes",
        "held_readers",
        "messages_in",
        "positions_unreadable",
        "proxy_headers_refused",
        "rejections",
        "request_durations",
        "requests",
        "slow_readers_closed",
        "snapshots_cut",
        "tls_handshakes",
        "tls_handshakes_failed",
    )

    def __init__(self) -> None:
        self.messages_in = 0
        #: Of WebSocket connections, handshakes and frames included, TLS not.
        self.bytes_in = 0
        self.bytes_out = 0
        #: Messages that were not acted upon, by app and code (4300, 4301 ...).
        self.rejections: dict[tuple[str, int], int] = {}
        self.client_events = 0
        self.deliveries = 0
        #: Publications by the bits of the number of their receivers: 0, 1, 2-3, 4-7, 8-15 ...
        #: An index is found in a third of the time that a search among bounds takes.
        self.fan_outs = [0] * 33
        self.slow_readers_closed = 0
        #: Closed unanswered, because the process had no descriptor left.
        self.connections_turned_away = 0
        #: Connections to a port with ``proxy_protocol`` that no trusted proxy made, or not rightly.
        self.proxy_headers_refused = 0
        #: Bytes that wait for readers who do not keep up, and how many those are.
        self.held_bytes = 0
        self.held_readers = 0
        #: WebSocket handshakes that were refused as such, or never came to their end.
        self.handshakes_failed = 0
        self.tls_handshakes = 0
        self.tls_handshakes_failed = 0
        #: HTTP requests by route and status, and their seconds by route.
        self.requests: dict[tuple[str, int], int] = {}
        self.request_durations: dict[str, Distribution] = {}
        #: A newer one of the same sender came before it left (the rule ``newest``).
        self.client_events_superseded = 0
        #: The same, while a slow reader kept it waiting.
        self.frames_superseded = 0
        #: Delivered to all, because proximity can't be judged.
        self.positions_unreadable = 0
        #: Forgotten for want of room, so that those who join later are not told.
        self.snapshots_cut = 0

    @property
    def publications(self) -> int:
        return sum(self.fan_outs)

    def reject(self, app_id: str, code: Code) -> None:
        """Count a message that is not acted upon."""
        key = app_id, int(code)
        self.rejections[key] = self.rejections.get(key, 0) + 1

    def rejected(self, code: Code) -> int:
        """How many messages were answered with this code, over all apps."""
        return sum(count for (_, of), count in self.rejections.items() if of == code)
