"""Clients who talk to a relay: real sessions, a real hall, and doors that write down."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from twisted.internet.task import Clock

from tests.doubles import APP, Gate, Heard, Notices, RecordingBus, RecordingDoor, Tasks, drive
from wsrelay.cluster.local import LocalCensus, LocalPresence
from wsrelay.core.apps import App, Apps
from wsrelay.core.cache import Memory
from wsrelay.core.connections import Connections
from wsrelay.core.errors import Code
from wsrelay.core.hub import Hub
from wsrelay.core.notices import Tally
from wsrelay.core.ports import Observer
from wsrelay.core.relay import Relay
from wsrelay.core.roster import Arrival, Departure, Member
from wsrelay.core.signins import SignIns
from wsrelay.core.users import SignedIn
from wsrelay.core.visitors import Visitors
from wsrelay.pusher import codec
from wsrelay.pusher.admission import Hello
from wsrelay.pusher.counting import Counting
from wsrelay.pusher.publishing import decode_event
from wsrelay.pusher.session import Session
from wsrelay.pusher.signatures import sign
from wsrelay.pusher.surroundings import Surroundings
from wsrelay.rules.rulebook import Means, Rulebook


class SlowPresence(LocalPresence):
    """Presence that asks elsewhere: joins and leaves stand at gates while the test wants it."""

    def __init__(self, observer: Observer, census: LocalCensus) -> None:
        super().__init__(observer, census)
        self.join_gate: Gate | None = None
        self.leave_gate: Gate | None = None
        self.members_gate: Gate | None = None

    async def join(
        self, app_id: str, channel: str, socket_id: str, member: Member, most: int
    ) -> Arrival:
        if self.join_gate is not None:
            await self.join_gate.passage()
        return await super().join(app_id, channel, socket_id, member, most)

    async def leave(self, app_id: str, channel: str, socket_id: str) -> Departure:
        if self.leave_gate is not None:
            await self.leave_gate.passage()
        return await super().leave(app_id, channel, socket_id)

    async def members(self, app_id: str, channel: str) -> Any:
        if self.members_gate is not None:
            await self.members_gate.passage()
        return await super().members(app_id, channel)


class Relayed:
    """A relay that runs, and everything around it in reach of the test."""

    def __init__(self, *apps: App, visitors: Visitors | None = None) -> None:
        self.app = apps[0] if apps else APP
        self.clock = Clock()
        self.clock.advance(1000)
        self.notices, self.tally, self.tasks = Notices(), Tally(), Tasks()
        means = Means(codec, self.tally, self.clock.callLater, lambda: 1_700_000_000.0)
        self.hub = Hub(Rulebook(Apps(apps or [APP]), means).rules_of)
        census = LocalCensus(self.hub, self.notices)
        self.presence = SlowPresence(self.notices, census)
        cache = Memory(self.clock.seconds, most_bytes=100_000)
        self.bus = RecordingBus(cache)
        self.connections = Connections()
        self.visitors = Visitors(self.clock.seconds) if visitors is None else visitors
        self.relay = Relay(
            hub=self.hub,
            bus=self.bus,
            presence=self.presence,
            census=census,
            cache=cache,
            wording=codec,
            tally=self.tally,
        )
        self.users = SignedIn(
            self.clock.callLater, lambda app_id, user_id: signins.gone_offline(app_id, user_id)
        )
        signins = self.signins = SignIns(self.relay, self.bus, self.users, self.connections, codec)
        self.around = Surroundings(
            apps=Apps(apps or [APP]),
            relay=self.relay,
            signins=signins,
            counting=Counting(self.relay, self.clock.callLater, self.notices, self.tasks),
            connections=self.connections,
            visitors=self.visitors,
            observer=self.notices,
            spawn=self.tasks,
            clock=self.clock.seconds,
            call_later=self.clock.callLater,
        )
        self._numbers = count(1)

    def client(self) -> Client:
        """Somebody at the door who has not said hello yet."""
        return Client(self, f"{next(self._numbers)}.271828")

    def connect(self, app: App | None = None, **hello: Any) -> Client:
        """A client who was admitted and welcomed."""
        client = self.client()
        client.app = app or self.app
        client.session.open(Hello(key=client.app.key, **hello))
        (established,) = client.heard()
        assert established["event"] == "pusher:connection_established"
        return client

    def publish(self, channels: str | list[str], data: Any = "x", **rest: Any) -> None:
        """What a backend sends, understood as the HTTP API understands it."""
        body = json.dumps({"name": "told", "channels": channels, "data": data, **rest}).encode()
        event = decode_event(self.app, body)
        drive(self.relay.publish_surely(event.publications, self.app.cache_seconds))

    def members(self, channel: str) -> list[str]:
        found = drive(LocalPresence.members(self.presence, self.app.id, channel))
        return [member.user_id for member in found]

    def assert_empty(self) -> None:
        """Nobody is here, and nothing is kept of anybody who was."""
        assert len(self.hub) == 0
        assert self.hub._apps == {}
        assert self.presence._rosters == {}
        assert self.connections._apps == {}
        assert len(self.users) == 0
        assert self.relay._joining == {}
        assert self.bus.wanted == set()
        assert len(self.visitors) == 0
        assert self.tasks.failures == []


class Client:
    """One client: what it says goes to its session, what it hears is read from its door."""

    def __init__(self, relayed: Relayed, socket_id: str) -> None:
        self.door = RecordingDoor(socket_id)
        self.session = Session(relayed.around, self.door, "192.0.2.1:4711")
        self.app = relayed.app
        self.socket_id = socket_id
        self._relayed = relayed
        self._listened = 0

    # -- saying ----------------------------------------------------------------------------

    def says(self, message: bytes | str | Heard) -> None:
        if isinstance(message, dict):
            message = json.dumps(message)
        self.session.receive(message.encode() if isinstance(message, str) else message)
        assert self._relayed.tasks.failures == []

    def subscribe(self, channel: str, channel_data: str | None = None, **data: Any) -> None:
        """Ask for a channel, with the token that opens it."""
        if channel.startswith(("private-", "presence-")) and "auth" not in data:
            data["auth"] = self.token(channel, channel_data)
        if channel_data is not None:
            data["channel_data"] = channel_data
        self.says({"event": "pusher:subscribe", "data": {"channel": channel, **data}})

    def join(self, channel: str, user_id: str, info: Any = ...) -> None:
        """Ask for a presence channel, as a user."""
        self.subscribe(channel, channel_data(user_id, info))

    def token(self, channel: str, channel_data: str | None = None) -> str:
        text = f"{self.socket_id}:{channel}"
        if channel_data is not None and channel.startswith("presence-"):
            text += f":{channel_data}"
        return f"{self.app.key}:{sign(self.app, text)}"

    def unsubscribe(self, channel: str) -> None:
        self.says({"event": "pusher:unsubscribe", "data": {"channel": channel}})

    def whisper(self, channel: str, data: Any = "x", event: str = "client-said") -> None:
        self.says({"event": event, "channel": channel, "data": data})

    def sign_in(self, user_id: str, **data: Any) -> None:
        user_data = json.dumps({"id": user_id, **data})
        signature = sign(self.app, f"{self.socket_id}::user::{user_data}")
        auth = f"{self.app.key}:{signature}"
        data = {"auth": auth, "user_data": user_data}
        self.says({"event": "pusher:signin", "data": data})

    def vanish(self, code: int = 1006, reason: str = "") -> None:
        """The connection is gone."""
        self.session.lost(code, reason)
        assert self._relayed.tasks.failures == []

    # -- listening -------------------------------------------------------------------------

    def heard(self) -> list[Heard]:
        """What was heard since the last time."""
        frames = self.door.frames[self._listened :]
        self._listened = len(self.door.frames)
        return [json.loads(frame.payload) for frame in frames]

    @property
    def closed(self) -> Code | None:
        """The code of the one close frame; ``None`` while the connection is open."""
        if not self.door.closed:
            return None
        ((code, _),) = self.door.closed
        return code


def channel_data(user_id: str, info: Any = ...) -> str:
    data = {"user_id": user_id} if info is ... else {"user_id": user_id, "user_info": info}
    return json.dumps(data, ensure_ascii=False)


# -- what is heard -----------------------------------------------------------------------------


def succeeded(channel: str) -> Heard:
    return {
        "event": "pusher_internal:subscription_succeeded",
        "channel": channel,
        "data": "{}",
    }


def snapshot(channel: str, **members: Any) -> Heard:
    """The success of a presence subscription: who is in, with each one's info."""
    presence = {"count": len(members), "ids": list(members), "hash": members}
    return succeeded(channel) | {"data": compact({"presence": presence})}


def member_added(channel: str, user_id: str, info: Any = None) -> Heard:
    return {
        "event": "pusher_internal:member_added",
        "channel": channel,
        "data": compact({"user_id": user_id, "user_info": info}),
    }


def member_removed(channel: str, user_id: str) -> Heard:
    return {
        "event": "pusher_internal:member_removed",
        "channel": channel,
        "data": compact({"user_id": user_id}),
    }


def subscription_error(channel: str, status: int, kind: str, message: str) -> Heard:
    return {
        "event": "pusher:subscription_error",
        "channel": channel,
        "data": {"type": kind, "error": message, "status": status},
    }


def error(code: int | None, message: str) -> Heard:
    return {"event": "pusher:error", "data": {"code": code, "message": message}}


def said(channel: str, data: str = "x", user_id: str | None = None) -> Heard:
    """A whisper as the others hear it."""
    message = {"event": "client-said", "channel": channel, "data": data}
    return message if user_id is None else message | {"user_id": user_id}


def told(channel: str, data: str = "x") -> Heard:
    """What a backend published."""
    return {"event": "told", "channel": channel, "data": data}


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
