"""A day at the relay, over real sockets: visitors, a backend, and people who misbehave.

In every story a bystander sits in a room; he gets what is meant for him, in order, and nothing
else, whatever others do.
"""

from __future__ import annotations

import gc
import json
import socket
import weakref

from twisted.internet.defer import Deferred

from tests.loopback import LoopbackTestCase, request
from tests.memory import handshake
from tests.signing import APP, event, signed_target
from tests.visitor import Visitor
from tests.websocket.frames import BINARY, CLOSE, CONTINUATION, TEXT, frame, read_frames
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App, Secret


def users(message: dict[str, str]) -> list[str]:
    """The ids in the snapshot of a presence channel."""
    ids = json.loads(message["data"])["presence"]["ids"]
    assert isinstance(ids, list)
    return ids


class VisitTest(LoopbackTestCase):
    async def test_a_visit(self) -> None:
        ada, bob = await self.guest(), await self.guest()
        await ada.joined("news")
        await ada.joined("private-office")
        assert users(await ada.joined("presence-room", '{"user_id":"ada"}')) == ["ada"]
        assert users(await bob.joined("presence-room", '{"user_id":"bob"}')) == ["ada", "bob"]
        added = await ada.expect("pusher_internal:member_added")
        assert json.loads(added["data"])["user_id"] == "bob"

        await bob.joined("private-office")
        bob.whisper("private-office", {"x": 1}, event="client-moved")
        assert await ada.next() == {
            "event": "client-moved",
            "channel": "private-office",
            "data": '{"x": 1}',
        }
        bob.whisper("presence-room", "hello")
        assert (await ada.expect("client-told"))["user_id"] == "bob"

        body = event(["news", "private-office"], '{"n":1}', name="App\\Shipped")
        assert (await self.publish(body)).json == {}
        assert [(await ada.expect("App\\Shipped"))["channel"] for _ in range(2)] == [
            "news",
            "private-office",
        ]
        assert (await bob.expect("App\\Shipped"))["channel"] == "private-office"

        bob.leave("presence-room")
        removed = await ada.expect("pusher_internal:member_removed")
        assert json.loads(removed["data"]) == {"user_id": "bob"}
        bob.sendClose(1000, "bye")
        await bob.closed()
        assert (await self.publish(event("private-office", "last"))).json == {}
        assert (await ada.next())["data"] == "last"

    async def test_the_log_has_a_line_when_a_visitor_comes_and_one_when_he_goes(self) -> None:
        ada, bob = await self.guest("private-room"), await self.guest("private-room")
        for number in range(10):
            bob.whisper("private-room", number)
            await ada.next()
        await self.publish(event("private-room"))
        await ada.next()
        address = f"127.0.0.1:{bob.local_port}"
        bob.sendClose(1000, "bye")
        await bob.closed()
        while f"closed {bob.socket_id}" not in self.log_text:
            await self.a_turn()
        lines = [line for line in self.log_text.splitlines() if bob.socket_id in line]
        assert len(lines) == 2
        assert f"app 1001: {address} opened {bob.socket_id}" in lines[0]
        assert f"app 1001: {address} closed {bob.socket_id} (1000 bye)" in lines[1]
        assert len([line for line in self.log_text.splitlines() if "1001" in line]) == 4

    async def test_who_has_gone_leaves_no_garbage_to_be_collected(self) -> None:
        guest = await self.guest("room", "private-room")
        [connection] = [weakref.ref(each) for each in self.relay.websocket.sweep.connections()]
        gc.collect()
        gc.disable()
        try:
            guest.sendClose(1000, "bye")
            await guest.closed()
            while f"closed {guest.socket_id}" not in self.log_text:
                await self.a_turn()
            await self.a_turn()
            assert connection() is None
        finally:
            gc.enable()

    async def test_the_transport_does_not_hold_small_writes_back(self) -> None:
        await self.guest("room")
        connection = await self.http()
        connection.send(request("GET", "/up"))
        await connection.response()
        assert self.of_server_sockets(
            lambda each: each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        ) == [1, 1]

    async def test_what_waits_is_sent_before_the_server_says_goodbye(self) -> None:
        guest = await self.guest("room")
        one = {"name": "told", "channel": "room", "data": "x" * 10_000}
        body = json.dumps({"batch": [one] * 10}).encode()
        target = signed_target("POST", f"/apps/{APP.id}/batch_events", body)
        connection = await self.http()
        connection.send(request("POST", target, body))
        assert (await connection.response()).json == {}
        connection.transport.loseConnection()
        stopping = Deferred.fromCoroutine(self.stop())
        for _ in range(10):
            await guest.expect("told")
        assert (await guest.expect("pusher:error"))["data"]["code"] == 4100
        farewell = await guest.closed()
        assert farewell is not None
        assert farewell[0] == 4100
        await stopping


class MisbehaviourTest(LoopbackTestCase):
    """Each case: what somebody sends, and what he is told for it."""

    settings = Settings(
        apps=(
            App(id=APP.id, key=APP.key, secret=Secret("a-secret"), client_event_rate=0),
            App(id="2", key="other-key", secret=Secret("a-secret")),
        ),
        host="127.0.0.1",
        port=0,
    )

    async def setUp(self) -> None:
        await super().setUp()
        self.bystander = await self.guest("private-room")
        self.speaker = await self.guest("private-room")
        self.said = 0

    async def say_something(self) -> None:
        """One more whisper for the bystander."""
        self.said += 1
        self.speaker.whisper("private-room", self.said)

    async def tearDown(self) -> None:
        """The bystander got every whisper, in order, and nothing else; no fault is in the log."""
        await self.say_something()
        for number in range(1, self.said + 1):
            assert await self.bystander.next() == {
                "event": "client-told",
                "channel": "private-room",
                "data": str(number),
            }
        assert self.bystander.take() == []
        assert self.speaker.take() == []
        assert "Traceback" not in self.log_text
        await super().tearDown()

    async def sends(self, visitor: Visitor, *frames: bytes) -> None:
        """Bytes of a visitor's, with a whisper of somebody else between every two."""
        for each in frames:
            visitor.transport.write(each)
            await self.say_something()

    async def is_told(self, visitor: Visitor, code: int, *words: str) -> None:
        message = await visitor.expect("pusher:error")
        assert message["data"]["code"] == code
        for word in words:
            assert word in message["data"]["message"], message

    async def is_well(self, visitor: Visitor) -> None:
        visitor.say("pusher:ping")
        await visitor.expect("pusher:pong")

    async def test_malformed_json_is_told_and_forgiven(self) -> None:
        guest = await self.guest()
        for bad in (b"", b"{", b"nonsense", b'{"event":}', b"\x00", b'{"event":"a"}x'):
            await self.sends(guest, frame(bad))
            await self.is_told(guest, 4300, "not valid JSON")
        await self.is_well(guest)

    async def test_json_that_is_no_message_is_told_and_forgiven(self) -> None:
        guest = await self.guest()
        for bad in (
            b"null",
            b"[]",
            b'"pusher:ping"',
            b"{}",
            b'{"event":5}',
            b'{"event":"pusher:subscribe"}',
            b'{"event":"pusher:subscribe","data":"{"}',
            b'{"event":"pusher:subscribe","data":{"channel":5}}',
            b'{"event":"pusher:unsubscribe","data":[]}',
            b'{"event":"client-x","channel":{},"data":1}',
            b'{"event":"told","channel":"private-room","data":1}',
        ):
            await self.sends(guest, frame(bad))
            await self.is_told(guest, 4300)
        await self.is_well(guest)

    async def test_who_goes_on_with_nonsense_is_closed(self) -> None:
        guest = await self.guest()
        await self.sends(guest, *[frame(b"{nonsense")] * 30)
        for _ in range(19):
            await self.is_told(guest, 4300)
        await self.is_told(guest, 4100, "could not be understood")
        farewell = await guest.closed()
        assert farewell is not None
        assert farewell[0] == 4100

    async def test_binary_messages_are_told_and_forgiven(self) -> None:
        guest = await self.guest()
        await self.sends(
            guest,
            frame(b'{"event":"pusher:ping"}', BINARY),
            frame(b"\x00\xff" * 500, BINARY, is_final=False) + frame(b"", CONTINUATION),
        )
        for _ in range(2):
            await self.is_told(guest, 4300, "binary")
        await self.is_well(guest)

    async def test_deep_nesting_is_told_and_forgiven(self) -> None:
        guest = await self.guest("private-lobby")
        deep = b"[" * 5_000 + b"]" * 5_000
        for bad in (
            deep,
            b"[" * 20_000,
            b'{"event":' + deep + b"}",
            b'{"event":"pusher:subscribe","data":' + deep + b"}",
            b'{"event":"pusher:subscribe","data":{"channel":"a","auth":' + deep + b"}}",
            b'{"event":"client-x","channel":"private-lobby","data":' + deep + b"}",
            b'{"event":"client-x","channel":' + deep + b',"data":1}',
        ):
            await self.sends(guest, frame(bad))
            message = await guest.expect("pusher:error")
            assert message["data"]["code"] in (4300, 4301), bad[:60]
        await self.is_well(guest)

    async def test_who_breaks_the_framing_is_closed_with_its_code(self) -> None:
        for bad, code in (
            (frame(b"\xff\xfe"), 1007),
            (frame(b"{}", mask=None), 1002),
            (frame(b"{}", 3), 1002),
            (frame(b"x" * 30_000), 1009),
            (frame(b"x" * 20_000, is_final=False) + frame(b"x" * 20_000, CONTINUATION), 1009),
            (frame(b"\x03", CLOSE), 1002),
        ):
            connection = await self.http()
            connection.send(handshake())
            await connection.until(b'activity_timeout\\":120}"}')
            connection.send(frame(b'{"event":"pusher:ping"}') + bad)
            await self.say_something()
            pong, farewell = read_frames(await connection.closed_after(frame(b"", CLOSE)))
            assert (pong.opcode, farewell.close_code) == (TEXT, code)

    async def test_a_thousand_subscriptions_in_one_burst_are_all_answered(self) -> None:
        guest = await self.guest()
        names = [f"room-{number}" for number in range(1000)]
        for name in names:
            guest.subscribe(name)
        await self.say_something()
        for name in names:
            message = await guest.expect("pusher_internal:subscription_succeeded")
            assert message["channel"] == name
        assert (await self.publish(event(names[:100]))).json == {}
        assert [(await guest.next())["channel"] for _ in range(100)] == names[:100]

    async def test_one_subscription_too_many_is_refused(self) -> None:
        guest = await self.guest()
        most = APP.max_subscriptions
        for number in range(most + 1):
            guest.subscribe(f"room-{number}")
        for _ in range(most):
            await guest.expect("pusher_internal:subscription_succeeded")
        refused = await guest.expect("pusher:subscription_error")
        assert refused["channel"] == f"room-{most}"
        assert "max_subscriptions" in refused["data"]["error"]
        await self.is_well(guest)

    async def test_bad_subscriptions_are_refused_one_by_one(self) -> None:
        guest = await self.guest()
        for data, status, word in (
            ({"channel": "a room"}, 400, "letters, digits"),
            ({"channel": ""}, 400, "empty"),
            ({"channel": "c" * 201}, 400, "max_channel_name_length"),
            ({"channel": "private-a"}, 401, "auth token"),
            ({"channel": "private-a", "auth": "nonsense"}, 401, "KEY:SIGNATURE"),
            ({"channel": "private-a", "auth": "other-key:00"}, 401, "another app's key"),
            ({"channel": "private-a", "auth": f"{APP.key}:{'0' * 64}"}, 401, "signature is wrong"),
            ({"channel": "private-a", "auth": f"{APP.key}:é"}, 401, "signature is wrong"),
        ):
            guest.say("pusher:subscribe", data=data)
            await self.say_something()
            refused = await guest.expect("pusher:subscription_error")
            assert refused["data"]["status"] == status, data
            assert word in refused["data"]["error"], refused
        await self.is_well(guest)
        assert "a-secret" not in self.log_text

    async def test_whispers_that_may_not_be_are_told_and_heard_by_nobody(self) -> None:
        guest = await self.guest("news", "private-encrypted-room")
        for channel, word in (
            ("private-room", "not subscribed"),
            ("news", "private or presence"),
            ("private-encrypted-room", "encrypted"),
        ):
            guest.whisper(channel, "x")
            await self.is_told(guest, 4301, word)
        lobby = await self.guest("private-lobby")
        lobby.whisper("private-lobby", "x" * 10_241)
        await self.is_told(lobby, 4301, "max_event_bytes")
        lobby.whisper("private-lobby", "x", event="client-" + "n" * 200)
        await self.is_told(lobby, 4301, "max_event_name_length")
        await self.is_well(guest)

    async def test_who_is_refused_at_the_door_disturbs_nobody(self) -> None:
        for path, code in (
            ("/app/unknown?protocol=7", 4001),
            (f"/app/{APP.key}?protocol=4", 4007),
            (f"/app/{APP.key}?protocol=seven", 4006),
        ):
            stranger = await self.visitor(path)
            await self.is_told(stranger, code)
            farewell = await stranger.closed()
            assert farewell is not None
            assert farewell[0] == code
            assert f"refused ({code} " in self.log_text

    async def test_apps_do_not_hear_each_other(self) -> None:
        other = await self.visitor("/app/other-key?protocol=7")
        await other.welcome()
        await other.joined("news")
        own = await self.guest("news")
        assert (await self.publish(event("news", "for own"))).json == {}
        assert (await own.next())["data"] == "for own"
        await self.is_well(other)

    async def test_a_name_that_would_forge_lines_of_the_log_forges_none(self) -> None:
        visitor = await self.visitor(
            f"/app/{APP.key}?client=js%0Aapp%201001:%20forged&version=%1b[1m"
        )
        await visitor.welcome()
        visitor.sendClose(1000, "bye\nforged\x1b[1m")
        await visitor.closed()
        while "bye" not in self.log_text:
            await self.a_turn()
        assert not [
            line
            for line in self.log_text.split("\n")
            if line.startswith(("app 1001: forged", "forged"))
        ]
        assert "\x1b" not in self.log_text

    async def test_people_who_hang_up_in_the_middle_of_anything_are_just_gone(self) -> None:
        for data in (
            b"",
            b"GET",
            handshake()[:50],
            handshake(),
            handshake() + frame(b'{"event":"pusher:ping"}')[:5],
            handshake() + frame(b"{", is_final=False),
            request("POST", "/apps/1001/events", Content_Length="100") + b"half",
            b"POST / HTTP/1.1\r\n",
        ):
            connection = await self.http()
            connection.send(data)
            await self.a_turn()
            connection.transport.abortConnection()
            await self.say_something()
        while len(self.of_server_sockets(socket.socket.fileno)) > 2:
            await self.a_turn()
        assert len(self.relay.connections) == 2


class QuietLogTest(LoopbackTestCase):
    settings = Settings(apps=(APP,), host="127.0.0.1", port=0, log_connections=False)

    async def test_comings_and_goings_may_be_kept_out_of_the_log_but_not_refusals(self) -> None:
        ada = await self.guest("room")
        ada.sendClose(1000, "bye")
        await ada.closed()
        refused = await self.visitor("/app/of-nobody?protocol=7")
        await refused.closed()
        assert "refused (4001" in self.log_text
        assert "opened" not in self.log_text
        assert f"closed {ada.socket_id}" not in self.log_text
