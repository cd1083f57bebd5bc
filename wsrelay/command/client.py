"""One client of a relay: connects, is welcomed, subscribes with its own signatures, and hears.

On ``websockets``' client that needs no event loop: a terminal waits for one thing at a time.
Autobahn would bring the reactor along.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from .. import __version__
from ..core.apps import App
from ..core.names import kind_of
from .place import TIMEOUT, Place, Unreachable
from .signed import auth_of, channel_text

#: Bytes of a message: the largest event that a relay may pass on, and room around it.
MOST_BYTES = 4 * 1024 * 1024
#: Seconds that a relay has to answer a ping.
PATIENCE = 30.0


class Refused(Exception):
    """The relay said no: ``code`` is Pusher's, ``None`` for a subscription."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_final(self) -> bool:
        """Whether trying again is of no use (protocol reference: 4000 to 4099)."""
        return self.code is None or 4000 <= self.code < 4100


class Client:
    """A connection that was welcomed."""

    def __init__(self, connection: ClientConnection, app: App) -> None:
        self._connection = connection
        self._app = app
        established = self.hear(TIMEOUT)
        if established["event"] == "pusher:error":
            told = established["data"]
            raise Refused(f"refused: {told['code']} {told['message']}", told["code"])
        if established["event"] != "pusher:connection_established":
            raise Refused(f"expected pusher:connection_established, got {established['event']}")
        told = json.loads(established["data"])
        self.socket_id: str = told["socket_id"]
        #: Seconds of silence after which to ask whether the relay is there.
        self.activity_timeout: float = told.get("activity_timeout", 120)

    def say(self, event: str, **rest: Any) -> None:
        self._connection.send(json.dumps({"event": event, **rest}))

    def hear(self, seconds: float) -> dict[str, Any]:
        """The next message. Raises ``TimeoutError``, ``Refused`` or ``Unreachable``."""
        try:
            message = json.loads(self._connection.recv(seconds))
        except ConnectionClosed as closed:
            frame = closed.rcvd
            if frame is None:
                raise Unreachable("the connection broke off") from closed
            raise Refused(f"closed: {frame.code} {frame.reason}", frame.code) from closed
        except ValueError as error:
            raise Unreachable("what it said was not JSON") from error
        if not isinstance(message, dict) or not isinstance(message.get("event"), str):
            raise Unreachable("what it said was no event")
        if message["event"] == "pusher:ping":
            self.say("pusher:pong", data={})
        return message

    def subscribe(self, channel: str, user: tuple[str, Any] | None = None) -> None:
        """Ask to be let in; the answer is heard later. ``user`` is id and info, for presence."""
        data: dict[str, Any] = {"channel": channel}
        kind = kind_of(channel)
        channel_data = None
        if kind.has_presence and user is not None:
            channel_data = json.dumps({"user_id": user[0], "user_info": user[1]})
            data["channel_data"] = channel_data
        if kind.needs_auth:
            data["auth"] = auth_of(self._app, channel_text(self.socket_id, channel, channel_data))
        self.say("pusher:subscribe", data=data)


@contextmanager
def client(place: Place, app: App) -> Iterator[Client]:
    """A client of this app. Raises ``Unreachable``, or ``Refused`` with the relay's reason."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(
                connect(
                    place.socket_url(app.key) + f"&client=wsrelay&version={__version__}",
                    sock=place.connect(),
                    ssl=place.context,
                    server_hostname=(place.server_name or place.host) if place.is_tls else None,
                    compression=None,
                    max_size=MOST_BYTES,
                    proxy=None,
                    open_timeout=TIMEOUT,
                    ping_interval=None,
                    close_timeout=2,
                    user_agent_header=f"wsrelay/{__version__}",
                )
            )
        except InvalidStatus as error:
            raise Unreachable(
                f"{place}: answered {error.response.status_code} instead of a WebSocket"
            ) from error
        except (OSError, WebSocketException) as error:
            raise Unreachable(f"{place}: no WebSocket: {error or type(error).__name__}") from error
        yield Client(connection, app)
