"""One conversation: what this client may do now, and what it is told.

Messages are judged one at a time and in order. The states are few:

    state      | receives                        | becomes
    -----------|---------------------------------|------------------------------------------
    NEW        | nothing                         | OPEN when admitted, else CLOSED
    OPEN       | every message                   | WAITING while an answer needs other nodes
    WAITING    | into a bounded inbox            | OPEN when the answer is there
    CLOSING    | nothing                         | CLOSED when the connection is gone
    CLOSED     | nothing                         |

A client event (a whisper) is the hot path: it is judged by plain calls that never wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine
from enum import Enum, auto
from typing import Any

from ..core.apps import App
from ..core.errors import Code, ConnectionRefused, EventRejected
from ..core.frame import Frame
from ..core.limits import TokenBucket
from ..core.notices import (
    ConnectionClosed,
    ConnectionDenied,
    ConnectionOpened,
)
from ..core.ports import Door, Timer
from ..core.publication import Whisper
from ..core.relay import Relay
from . import codec
from .admission import Hello, enter
from .memberships import Memberships
from .messages import ClientEvent, Ping, SignIn, Subscribe, Unsubscribe, User
from .signing_in import proven_user, sign_in, watching
from .surroundings import Surroundings
from .whispering import pass_on, whispered_in

#: Messages that may wait for an answer. One read of a socket holds fewer than this.
MOST_WAITING = 4096
#: Messages that can't be understood, after which the connection is closed (4100).
MOST_MALFORMED = 20


class State(Enum):
    NEW = auto()
    OPEN = auto()
    WAITING = auto()
    CLOSING = auto()
    CLOSED = auto()


class Session:
    """One client's conversation with the relay, from admission to farewell."""

    __slots__ = (
        "_around",
        "_door",
        "_duty",
        "_inbox",
        "_is_paused",
        "_is_pumping",
        "_is_waiting",
        "_malformed",
        "_memberships",
        "_peer",
        "_relay",
        "_state",
        "_user",
        "_whispers",
        "app",
        "socket_id",
    )

    app: App
    _memberships: Memberships

    def __init__(self, around: Surroundings, door: Door, peer: str) -> None:
        self.socket_id = door.socket_id
        self._around = around
        self._relay: Relay = around.relay
        self._door = door
        self._peer = peer
        self._state = State.NEW
        self._user: User | None = None
        self._whispers: TokenBucket | None = None
        #: Runs out when the client must have authorised something by then.
        self._duty: Timer | None = None
        self._inbox: deque[bytes] | None = None
        self._is_pumping = False
        self._is_paused = False
        #: An answer is waited for; also while CLOSING and CLOSED.
        self._is_waiting = False
        self._malformed = 0

    # -- coming and going --------------------------------------------------------------

    def open(self, hello: Hello) -> None:
        """Admit the client, or say why not and close."""
        around = self._around
        try:
            app = self.app = enter(around, hello, self.address)
        except ConnectionRefused as refused:
            self._state = State.CLOSED
            around.observer(ConnectionDenied(self._peer, refused.code, refused.message))
            self._farewell(refused.code, refused.message)
            return
        self._state = State.OPEN
        self._memberships = Memberships(around, app, self._door)
        around.connections.add(app.id, self.socket_id, self)
        around.observer(ConnectionOpened(app.id, self.socket_id, self._peer, hello.client))
        self._door.send(codec.connection_established(self.socket_id, app.activity_timeout))
        if app.authorization_timeout:
            self._duty = around.call_later(app.authorization_timeout, self._duty_is_due)

    @property
    def address(self) -> str:
        """The client's address, without the port, which is not always known."""
        host, _, port = self._peer.rpartition(":")
        return host if port.isdigit() else self._peer

    def _duty_is_due(self) -> None:
        self._duty = None
        if not self.app.authorization_timeout:  # a reload has lifted it
            return
        if self._user is None and not self._memberships.has_authorized:
            self.close(
                Code.UNAUTHORIZED,
                f"no sign-in and no private or presence channel within "
                f"{self.app.authorization_timeout:g} s (authorization_timeout)",
            )

    def follow(self, app: App) -> None:
        """Go by the app's new settings from the next message on; what was granted stays."""
        if app.client_event_rate != self.app.client_event_rate:
            self._whispers = None
        self.app = self._memberships.app = app

    def close(self, code: Code, message: str) -> None:
        """Say goodbye: a ``pusher:error``, then a close frame with the same code."""
        if self._state not in (State.OPEN, State.WAITING):
            return
        self._state = State.CLOSING
        self._inbox = None
        self._farewell(code, message)
        self._resume()  # or the client's own close frame is never read

    def _farewell(self, code: Code, message: str) -> None:
        self._door.send(codec.error(code, message))
        self._door.close(code, message)

    def lost(self, code: int, reason: str) -> None:
        """The connection is gone: leave every channel. ``code`` is 1006 without a close frame."""
        if self._state in (State.NEW, State.CLOSED):
            return
        self._state = State.CLOSED
        self._inbox = None
        if self._duty is not None:
            self._duty.cancel()
        around = self._around
        around.connections.remove(self.app.id, self.socket_id)
        around.visitors.leave(self.address)
        around.observer(ConnectionClosed(self.app.id, self.socket_id, self._peer, code, reason))
        if not self._is_waiting:  # else when the answer is there, see _finish
            around.spawn(self._leave())

    async def _leave(self) -> None:
        self._memberships.leave_all()
        user, self._user = self._user, None
        if user is not None:
            await self._around.signins.sign_out(
                self.app.id, user.user_id, user.watchlist, self.socket_id
            )

    # -- what the client says ----------------------------------------------------------

    def receive(self, payload: bytes) -> None:
        """One text message of the client. Never raises for what a client may send."""
        if self._state is State.OPEN:
            self._judge(payload)
        elif self._state is State.WAITING:
            self._wait_in_line(payload)

    def refuse_binary(self) -> None:
        """A binary frame came: the protocol is JSON text."""
        if self._state in (State.OPEN, State.WAITING):
            self._reject(EventRejected(Code.BAD_MESSAGE, "binary frames are not read: send text"))

    def _judge(self, payload: bytes) -> None:
        self._relay.tally.messages_in += 1
        try:
            message = codec.decode(payload)
            if type(message) is ClientEvent:
                self._whisper(message)
            elif type(message) is Subscribe:
                self._start(self._memberships.subscribe(message, self._user))
            elif type(message) is Unsubscribe:
                self._start(self._memberships.unsubscribe(message.channel))
            elif type(message) is Ping:
                self._door.send(codec.PONG)
            elif type(message) is SignIn:
                self._sign_in(message)
        except EventRejected as rejected:
            self._reject(rejected)

    def _reject(self, rejected: EventRejected) -> None:
        self._relay.tally.reject(self.app.id, rejected.code)
        if rejected.code is Code.BAD_MESSAGE:
            self._malformed += 1
        if self._malformed >= MOST_MALFORMED:
            self.close(
                Code.OVER_CAPACITY,
                f"{MOST_MALFORMED} messages could not be understood, the last because: "
                + rejected.message,
            )
        else:
            self._door.send(codec.error(rejected.code, rejected.message, **rejected.details))

    def _whisper(self, said: ClientEvent) -> None:
        """Pass a client event on to everybody else in its channel, or as its rules say."""
        app = self.app
        rules = whispered_in(app, self._memberships.channel(said.channel), said).rules
        user_id = self._memberships.user_id(said.channel)
        if rules is not None:
            rules.say(said.event, said.data, user_id, self)
            return
        if app.client_event_rate:
            now = self._around.clock()
            if not (self._whispers or self._first_whisper(now)).admits(now):
                raise self._too_often()
        pass_on(self._around, app, self.socket_id, said, user_id)

    def _first_whisper(self, now: float) -> TokenBucket:
        bucket = self._whispers = TokenBucket(self.app.client_event_rate, now)
        return bucket

    def _too_often(self) -> EventRejected:
        return EventRejected(
            Code.CLIENT_EVENT_REJECTED,
            f"more than {self.app.client_event_rate:g} client events a second (client_event_rate)",
        )

    # -- Speaker: whose client events rules count and pass on --------------------------

    def pay(self) -> None:
        now = self._around.clock()
        if not (self._whispers or self._first_whisper(now)).admits(now):
            raise self._too_often()

    def can_spare(self) -> bool:
        now = self._around.clock()
        bucket = self._whispers or self._first_whisper(now)
        return bucket.spares(now, keeping=max(0.0, bucket.rate / 2 - 1))

    def pass_on(self, channel: str, data: bytes, whisper: Whisper) -> None:
        said = ClientEvent(whisper.event, channel, data)
        pass_on(self._around, self.app, self.socket_id, said, whisper.user_id, whisper)

    def _sign_in(self, asked: SignIn) -> None:
        """Sign in as a user; another one than before is refused, a bad proof ends it all."""
        try:
            user = proven_user(self.app, self.socket_id, asked)
        except ConnectionRefused as refused:
            self.close(refused.code, refused.message)
            return
        if self._user is not None and self._user.user_id != user.user_id:
            raise EventRejected(
                Code.UNAUTHORIZED, "this connection has signed in as another user already"
            )
        success = codec.signin_success(asked.user_data or "")
        if self._user is None:
            self._start(self._become(user, success))
        else:
            self._door.send(success)

    async def _become(self, user: User, success: Frame) -> None:
        self._user = watched = watching(self.app, user)
        await sign_in(self._around, self.app, self._door, watched, success)
        if self.app.watchlist and len(user.watchlist) > len(watched.watchlist):
            self._relay.tally.reject(self.app.id, Code.WATCHLIST_TOO_LONG)
            self._door.send(
                codec.error(
                    Code.WATCHLIST_TOO_LONG,
                    f"{len(user.watchlist)} users are watched, the limit is "
                    f"{self.app.max_watchlist} (max_watchlist); these are: "
                    + ", ".join(watched.watchlist),
                )
            )

    # -- one at a time -----------------------------------------------------------------

    def _start(self, action: Coroutine[Any, Any, None]) -> None:
        self._state = State.WAITING
        self._is_waiting = True
        self._around.spawn(self._finish(action))
        if self._state is State.WAITING and not self._is_paused:
            self._is_paused = True
            self._door.pause_reading()

    async def _finish(self, action: Coroutine[Any, Any, None]) -> None:
        try:
            await action
        finally:
            self._is_waiting = False
            if self._state is State.WAITING:
                self._state = State.OPEN
                self._pump()
            elif self._state is State.CLOSED:  # it went while the answer was waited for
                await self._leave()

    def _wait_in_line(self, payload: bytes) -> None:
        if self._inbox is None:
            self._inbox = deque()
        if len(self._inbox) >= MOST_WAITING:
            self.close(Code.OVER_CAPACITY, f"more than {MOST_WAITING} messages are waiting")
            return
        self._inbox.append(payload)

    def _pump(self) -> None:
        """Judge what waited. An action that needs nobody ends in here again: not twice."""
        if self._is_pumping:
            return
        if self._inbox is not None:
            self._is_pumping = True
            try:
                while self._inbox and self._state is State.OPEN:
                    self._judge(self._inbox.popleft())
            finally:
                self._is_pumping = False
        if not self._inbox and self._state is State.OPEN:
            self._inbox = None
            self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._door.resume_reading()
