"""Credentials of a TURN server, good for a while: coturn's REST scheme.

The name is ``EXPIRY:USER`` with the Unix time at which they end, the password its HMAC-SHA1 with
the secret that coturn knows as ``static-auth-secret`` (draft-uberti-behave-turn-rest-00, 2.2).
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from msgspec import json

from ..core.frame import Frame
from ..core.ports import CallLater, Subscriber, Timer
from ..core.rules import Turn

_encode = json.encode


def ice_servers(turn: Turn, name: str, now: float) -> dict[str, Any]:
    """What a browser's ``RTCPeerConnection`` takes for its configuration, and how long for.

    ``now`` is Unix time in seconds.
    """
    username = f"{int(now) + turn.ttl}:{name}"
    digest = hmac.digest(turn.secret.reveal(), username.encode(), "sha1")
    server = {
        "urls": list(turn.urls),
        "username": username,
        "credential": b64encode(digest).decode(),
    }
    return {"iceServers": [server], "ttl": turn.ttl}


class Credentials:
    """Tells the members of one channel theirs, again when half of their time is over."""

    def __init__(
        self,
        turn: Turn,
        frame_of: Callable[[str], Frame],
        call_later: CallLater,
        now: Callable[[], float],
    ) -> None:
        self._turn = turn
        self._frame_of = frame_of
        self._call_later = call_later
        self._now = now
        self._told: dict[str, tuple[Subscriber, str]] = {}
        self._timer: Timer | None = None

    def joined(self, subscriber: Subscriber, name: str) -> None:
        self._told[subscriber.socket_id] = subscriber, name
        self._tell(subscriber, name)
        if self._timer is None:
            self._wait()

    def left(self, socket_id: str) -> None:
        self._told.pop(socket_id, None)

    def end(self) -> None:
        """The channel is gone."""
        self._told.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = self._call_later(self._turn.ttl / 2, self._renew)

    def _renew(self) -> None:
        self._wait()
        for subscriber, name in self._told.values():
            self._tell(subscriber, name)

    def _tell(self, subscriber: Subscriber, name: str) -> None:
        servers = ice_servers(self._turn, name, self._now())
        subscriber.send(self._frame_of(_encode(servers).decode()))
