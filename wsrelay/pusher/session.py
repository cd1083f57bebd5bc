"""One conversation: what this client may do now, and what it is told.

Messages are judged one at a time and in order. The states are few:

    state      | receives                        | becomes
    -----------|---------------------------------|------------------------------------------
    NEW        | nothing                         | OPEN when admitted, else CLOSED
    OPEN       | every message                   | JOINING while a join waits for other nodes
    JOINING    | into a bounded inbox            | OPEN when the join is decided
    CLOSED     | nothing                         |

A client event (a whisper) is the hot path: it is judged by plain calls that never wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from typing import Any

from ..core.apps import App, Apps
from ..core.channel import Channel
from ..core.connections import Connections
from ..core.errors import (
    Code,
    ConnectionRefused,
    EventRejected,
    SubscriptionRefused,
)
from ..core.limits import TokenBucket
from ..core.notices import ConnectionClosed, ConnectionDenied, ConnectionOpened
from ..core.ports import Door, Observer
from ..core.publication import Publication
from ..core.relay import Relay
from ..core.roster import RosterFull
from . import codec
from .admission import Hello, admit
from .messages import ClientEvent, Ping, Subscribe, Unsubscribe
from .subscribing import proven_member, refuse_bad_name
from .whispering import refuse_whisper

#: Messages that may wait while a join is decided. One read of a socket holds fewer than this.
MOST_WAITING = 4096
#: Messages that can't be understood, after which the connection is closed (4100).
MOST_MALFORMED = 20

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class State(Enum):
    NEW = auto()
    OPEN = auto()
    JOINING = auto()
    CLOSED = auto()


class Session:
    """One client's conversation with the relay, from admission to farewell."""

    __slots__ = (
        "_apps",
        "_clock",
        "_connections",
        "_door",
        "_inbox",
        "_is_pumping",
        "_malformed",
        "_observe",
        "_peer",
        "_relay",
        "_spawn",
        "_state",
        "_subscriptions",
        "_user_ids",
        "_whispers",
        "app",
        "socket_id",
    )

    app: App

    def __init__(
        self,
        *,
        apps: Apps,
        relay: Relay,
        connections: Connections[Session],
        door: Door,
        peer: str,
        observer: Observer,
        spawn: Spawn,
        clock: Callable[[], float],
    ) -> None:
        self.socket_id = door.socket_id
        self._apps = apps
        self._relay = relay
        self._connections = connections
        self._door = door
        self._peer = peer
        self._observe = observer
        self._spawn = spawn
        self._clock = clock
        self._state = State.NEW
        self._subscriptions: dict[str, Channel] = {}
        #: The user behind each presence subscription.
        self._user_ids: dict[str, str] | None = None
        self._whispers: TokenBucket | None = None
        self._inbox: deque[bytes] | None = None
        self._is_pumping = False
        self._malformed = 0

    # -- the connection ----------------------------------------------------------------

    def open(self, hello: Hello) -> None:
        """Admit the client, or say why not and close."""
        app = self._apps.with_key(hello.key)
        try:
            self.app = admit(
                self._apps, hello, self._connections.count(app.id) if app is not None else 0
            )
        except ConnectionRefused as refused:
            self._state = State.CLOSED
            self._observe(ConnectionDenied(self._peer, refused.code, refused.message))
            self._farewell(refused.code, refused.message)
            return
        self._state = State.OPEN
        self._connections.add(self.app.id, self.socket_id, self)
        self._observe(ConnectionOpened(self.app.id, self.socket_id, self._peer, hello.client))
        self._door.send(codec.connection_established(self.socket_id, self.app.activity_timeout))

    def close(self, code: Code, message: str) -> None:
        """Say goodbye: a ``pusher:error``, then a close frame with the same code."""
        if self._state is not State.CLOSED:
            self._farewell(code, message)

    def _farewell(self, code: Code, message: str) -> None:
        self._door.send(codec.error(code, message))
        self._door.close(code, message)

    def lost(self, code: int, reason: str) -> None:
        """The connection is gone: leave every channel. ``code`` is 1006 without a close frame."""
        if self._state in (State.NEW, State.CLOSED):
            return
        self._state = State.CLOSED
        self._inbox = None
        self._connections.remove(self.app.id, self.socket_id)
        if self._subscriptions:
            self._spawn(self._leave_all())
        self._observe(ConnectionClosed(self.app.id, self.socket_id, self._peer, code, reason))

    async def _leave_all(self) -> None:
        while self._subscriptions:
            _, channel = self._subscriptions.popitem()
            await self._relay.unsubscribe(self.app.id, channel, self.socket_id)

    # -- what the client says ----------------------------------------------------------

    def receive(self, payload: bytes) -> None:
        """One text message of the client. Never raises for what a client may send."""
        if self._state is State.OPEN:
            self._judge(payload)
        elif self._state is State.JOINING:
            self._wait_in_line(payload)

    def refuse_binary(self) -> None:
        """A binary frame came: the protocol is JSON text."""
        if self._state in (State.OPEN, State.JOINING):
            self._reject(EventRejected(Code.BAD_MESSAGE, "binary frames are not read: send text"))

    def _judge(self, payload: bytes) -> None:
        self._relay.tally.messages_in += 1
        try:
            message = codec.decode(payload)
            if type(message) is ClientEvent:
                self._whisper(message)
            elif type(message) is Subscribe:
                self._start(self._subscribe(message))
            elif type(message) is Unsubscribe:
                self._start(self._unsubscribe(message))
            elif type(message) is Ping:
                self._door.send(codec.PONG)
        except EventRejected as rejected:
            self._reject(rejected)

    def _reject(self, rejected: EventRejected) -> None:
        tally = self._relay.tally
        if rejected.code is Code.CLIENT_EVENT_REJECTED:
            tally.client_events_rejected += 1
        else:
            tally.messages_malformed += 1
            self._malformed += 1
        if self._malformed >= MOST_MALFORMED:
            self.close(
                Code.OVER_CAPACITY,
                f"{MOST_MALFORMED} messages could not be understood, the last because: "
                + rejected.message,
            )
        else:
            self._door.send(codec.error(rejected.code, rejected.message))

    def _whisper(self, said: ClientEvent) -> None:
        """Pass a client event on to everybody else in its channel."""
        app = self.app
        channel = self._subscriptions.get(said.channel)
        refuse_whisper(app, channel, said)
        if app.client_event_rate:
            if self._whispers is None:
                self._whispers = TokenBucket(app.client_event_rate, self._clock())
            if not self._whispers.admits(self._clock()):
                raise EventRejected(
                    Code.CLIENT_EVENT_REJECTED,
                    f"more than {app.client_event_rate:g} client events a second "
                    "(client_event_rate)",
                )
        user_ids = self._user_ids
        user_id = user_ids.get(said.channel) if user_ids is not None else None
        self._relay.tally.client_events += 1
        self._relay.publish(
            Publication(
                app.id,
                said.channel,
                codec.event(said.event, said.channel, codec.as_string(said.data), user_id),
                self.socket_id,
            )
        )

    # -- subscriptions -----------------------------------------------------------------

    async def _subscribe(self, asked: Subscribe) -> None:
        app, name = self.app, asked.channel
        try:
            refuse_bad_name(app, name)
            known = self._subscriptions.get(name)
            if known is not None:
                await self._confirm_again(known)
                return
            if len(self._subscriptions) >= app.max_subscriptions:
                raise SubscriptionRefused(
                    name,
                    403,
                    "LimitReached",
                    f"this connection has {app.max_subscriptions} subscriptions, its limit "
                    "(max_subscriptions)",
                )
            member = proven_member(app, self.socket_id, asked, self._observe)
            joined = await self._relay.subscribe(
                app.id, name, self._door, member, app.max_presence_members
            )
        except SubscriptionRefused as refused:
            self._tell_refused(refused)
            return
        except RosterFull as full:
            message = f"the channel has {full.most} members, its limit (max_presence_members)"
            self._tell_refused(SubscriptionRefused(name, 403, "LimitReached", message))
            return
        if self._state is State.CLOSED:  # it went while the join was waiting
            await self._relay.unsubscribe(app.id, joined.channel, self.socket_id)
            return
        self._subscriptions[name] = joined.channel
        if member is None:
            self._door.send(codec.subscription_succeeded(name))
            return
        if self._user_ids is None:
            self._user_ids = {}
        self._user_ids[name] = member.user_id
        self._door.send(codec.presence_subscription_succeeded(name, joined.members))

    async def _confirm_again(self, channel: Channel) -> None:
        """A second subscribe is answered like the first; nobody else hears of it."""
        if channel.kind.has_presence:
            members = await self._relay.presence.members(self.app.id, channel.name)
            self._door.send(codec.presence_subscription_succeeded(channel.name, members))
        else:
            self._door.send(codec.subscription_succeeded(channel.name))

    def _tell_refused(self, refused: SubscriptionRefused) -> None:
        dialect = self.app.error_dialect
        if dialect != "pusher":
            self._door.send(
                codec.subscription_error(
                    refused.channel, refused.status, refused.kind, refused.message
                )
            )
        if dialect != "soketi":
            self._door.send(codec.error(None, refused.message))

    async def _unsubscribe(self, asked: Unsubscribe) -> None:
        """Leave a channel; leaving one that was never joined is no error."""
        channel = self._subscriptions.pop(asked.channel, None)
        if channel is None:
            return
        if self._user_ids is not None:
            self._user_ids.pop(asked.channel, None)
        await self._relay.unsubscribe(self.app.id, channel, self.socket_id)

    # -- one at a time -----------------------------------------------------------------

    def _start(self, action: Coroutine[Any, Any, None]) -> None:
        self._state = State.JOINING
        self._spawn(self._finish(action))
        if self._state is State.JOINING:
            self._door.pause_reading()

    async def _finish(self, action: Coroutine[Any, Any, None]) -> None:
        try:
            await action
        finally:
            if self._state is State.JOINING:
                self._state = State.OPEN
                self._pump()

    def _wait_in_line(self, payload: bytes) -> None:
        if self._inbox is None:
            self._inbox = deque()
        if len(self._inbox) >= MOST_WAITING:
            self.close(Code.OVER_CAPACITY, f"more than {MOST_WAITING} messages are waiting")
            return
        self._inbox.append(payload)

    def _pump(self) -> None:
        """Judge what waited. A join that is decided at once returns here, so: not twice."""
        if self._inbox is None or self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self._inbox and self._state is State.OPEN:
                self._judge(self._inbox.popleft())
        finally:
            self._is_pumping = False
        if not self._inbox and self._state is State.OPEN:
            self._inbox = None
            self._door.resume_reading()
