"""A conversation of three clients and a backend, said the same way every time.

``python -m tests.stories.recorded > tests/stories/plain_conversation.txt`` writes down every byte
that the clients were sent.
"""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from unittest.mock import patch

from twisted.internet.defer import ensureDeferred

from tests.memory import Line, Server, handshake, running
from tests.signing import APP, channel_auth, event, signin_auth
from tests.websocket.frames import PING, frame, say
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App
from wsrelay.pusher.publishing import decode_event

OFFICE = "presence-office.1"


def conversation(app: App = APP) -> list[str]:
    """What every client was sent, a line for each time that it was sent something: ``ada b'...'``.

    Socket ids are 1.1, 2.2 and 3.3. ``app`` has the credentials of ``tests.signing``.
    """
    numbers = count(1)
    socket_ids = (f"{number}.{number}" for number in numbers)
    with (
        patch("wsrelay.websocket.factory.new_socket_id", lambda: next(socket_ids)),
        patch("wsrelay.service.time", SimpleNamespace(time=lambda: 0.0, monotonic=lambda: 0.0)),
        running(Settings(apps=(app,))) as server,
    ):
        return _spoken(server, app)


def _spoken(server: Server, app: App) -> list[str]:
    lines: dict[str, Line] = {}
    sent: list[str] = []

    def hear() -> None:
        server.advance(0.02)
        for name, line in lines.items():
            if told := line.read():
                sent.append(f"{name} {told!r}")

    def says(name: str, *frames: bytes) -> None:
        lines[name].send(b"".join(frames))
        hear()

    def join(name: str, number: int, channel: str, member: str | None = None) -> None:
        data = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            data["auth"] = channel_auth(f"{number}.{number}", channel, member)
        if member is not None:
            data["channel_data"] = member
        says(name, say("pusher:subscribe", data=data))

    def publish(*channels: str, **more: str) -> None:
        told = decode_event(app, event(list(channels), '{"n":1}', name="App\\Told", **more))
        ensureDeferred(server.service.relay.publish_surely(told.publications, 60))
        hear()

    def whisper(name: str, data: object, kind: str = "client-move", to: str = OFFICE) -> None:
        says(name, say(kind, channel=to, data=data))

    for name in ("ada", "bob", "cyd"):
        lines[name] = server.line()
        says(name, handshake())
    for number, name in enumerate(lines, 1):
        join(name, number, OFFICE, f'{{"user_id":"{name}","user_info":{{"name":"{name}"}}}}')
    join("ada", 1, "private-desk")
    join("bob", 2, "private-desk")
    join("bob", 2, "news")
    join("cyd", 3, "cache-board")
    join("cyd", 3, OFFICE, '{"user_id":"cyd"}')
    for number in range(3):
        whisper("ada", {"x": number, "y": 2.5})
        whisper("bob", f'{{"x": {number}, "y": "no number"}}')
    says("cyd", *(say("client-move", channel=OFFICE, data={"x": n, "y": n}) for n in range(4)))
    whisper("ada", {"to": "bob", "sdp": "v=0\r\n"}, "client-signal")
    whisper("ada", {"to": "nobody"}, "client-signal")
    whisper("bob", {"to": "1.1"}, "client-signal", "private-desk")
    whisper("cyd", "into a room where cyd is not", to="private-desk")
    whisper("cyd", None, "client-typing")
    says("cyd", *(say("client-typing", channel=OFFICE) for _ in range(9)))
    says("ada", frame(b"are you there", PING), say("pusher:ping"))
    publish(OFFICE, "news", "private-desk", "cache-board")
    publish(OFFICE, socket_id="2.2")
    user = '{"id":"ada"}'
    says("ada", say("pusher:signin", data={"auth": signin_auth("1.1", user), "user_data": user}))
    says("ada", frame(b"nonsense"), say("pusher:nonsense"))
    says("bob", say("pusher:unsubscribe", data={"channel": OFFICE}))
    join("bob", 2, OFFICE, '{"user_id":"bob"}')
    lines["cyd"].hang_up()
    hear()
    server.advance(3)
    hear()
    return sent


if __name__ == "__main__":
    print("\n".join(conversation()))  # noqa: T201
