"""Publishing over real connections: who gets what, and what is refused before anything is sent."""

from __future__ import annotations

import json
from typing import Any

from tests.loopback import LoopbackTestCase, Response, request
from tests.signing import APP, event, signed_target
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App, Secret

BATCH = f"/apps/{APP.id}/batch_events"

DEEP = 100_000


class PublishTest(LoopbackTestCase):
    async def test_every_subscriber_of_every_channel_gets_the_event_as_it_was_published(
        self,
    ) -> None:
        data = '{"id":7,"who":"Grüße 🌍"}'
        one, other = await self.guest("private-orders"), await self.guest("news")
        response = await self.publish(event(["private-orders", "news"], data, name="App\\Shipped"))
        assert (response.status, response.body) == (200, b"{}")
        for guest, channel in ((one, "private-orders"), (other, "news")):
            assert await guest.next() == {"event": "App\\Shipped", "channel": channel, "data": data}

    async def test_a_channel_may_be_named_in_three_ways(self) -> None:
        guest = await self.guest("room")
        for named in (
            {"channels": ["room"]},
            {"channel": "room"},
            {"channels": "room"},
            {"channels": ["room"], "channel": "elsewhere"},
        ):
            body = json.dumps({"name": "told", "data": "{}", **named}).encode()
            assert (await self.publish(body)).json == {}
            assert (await guest.next())["channel"] == "room"

    async def test_a_channel_that_is_named_twice_gets_the_event_once(self) -> None:
        guest = await self.guest("room")
        await self.publish(event(["room", "room"], "first"))
        await self.publish(event("room", "second"))
        assert [(await guest.next())["data"] for _ in range(2)] == ["first", "second"]

    async def test_the_connection_that_asked_for_it_is_left_out_on_every_channel(self) -> None:
        sender, other = await self.guest("a", "b"), await self.guest("a", "b")
        body = event(["a", "b"], socket_id=sender.socket_id)
        assert (await self.publish(body)).json == {}
        await self.publish(event("a", "for all"))
        assert [(await other.next())["channel"] for _ in range(3)] == ["a", "b", "a"]
        assert (await sender.next())["data"] == "for all"

    async def test_an_unknown_socket_id_leaves_nobody_out(self) -> None:
        guest = await self.guest("room")
        assert (await self.publish(event("room", socket_id="1.2"))).json == {}
        await guest.expect("told")

    async def test_data_that_is_no_string_goes_out_as_its_compact_text(self) -> None:
        guest = await self.guest("room")
        for data, text in (
            ({"a": [1, None, "b c"]}, '{"a":[1,null,"b c"]}'),
            (5, "5"),
            (None, "null"),
            ([], "[]"),
            ("", ""),
        ):
            assert (await self.publish(event("room", data))).json == {}, data
            assert (await guest.next())["data"] == text

    async def test_info_tells_the_counts_of_every_channel_that_was_named(self) -> None:
        ada, bob = await self.guest("room"), await self.guest("room")
        for guest in (ada, bob):
            await guest.joined("presence-room", '{"user_id":"ada"}')
        body = event(
            ["room", "presence-room", "empty", "room"], info="user_count,subscription_count"
        )
        assert (await self.publish(body)).json == {
            "channels": {
                "room": {"subscription_count": 2},
                "presence-room": {"subscription_count": 2, "user_count": 1},
                "empty": {"subscription_count": 0},
            }
        }
        assert (await self.publish(event("room", info="user_count"))).json == {
            "channels": {"room": {}}
        }

    async def test_events_of_one_backend_arrive_in_order(self) -> None:
        guest = await self.guest("room")
        connection = await self.http()
        bodies = [event("room", str(number)) for number in range(50)]
        connection.send(
            b"".join(
                request("POST", signed_target("POST", f"/apps/{APP.id}/events", body), body)
                for body in bodies
            )
        )
        for _ in bodies:
            assert (await connection.response()).json == {}
        assert [(await guest.next())["data"] for _ in bodies] == [str(n) for n in range(50)]


class Refusals:
    """Whatever is refused has not been delivered, in no part of it."""

    async def refused(self: Any, status: int, cases: dict[str, bytes], batch: bool = False) -> None:
        """Each body, by the text that its refusal must hold."""
        guest = await self.guest("room")
        path = BATCH if batch else f"/apps/{APP.id}/events"
        for text, body in cases.items():
            for more in ({}, {"TE": "trailers"}):
                response = await self.ask("POST", signed_target("POST", path, body), body, **more)
                assert response.status == status, (text, response)
                assert text.split("|")[0] in response.error, (text, response.error)
        assert (await self.publish(event("room", name="the next"))).status == 200
        assert (await guest.next())["event"] == "the next"


class RefusalTest(Refusals, LoopbackTestCase):
    async def test_what_is_no_event(self) -> None:
        await self.refused(
            400,
            {
                "not valid JSON|nothing": b"",
                "not valid JSON|half": event("room")[:-1],
                "not valid JSON|more": event("room") + b"x",
                "not valid JSON|form": b"name=told&channels=room&data=x",
                "not an event|list": b"[]",
                "not an event|text": b'"room"',
                "not an event|null": b"null",
                "not an event|channels": event(5),  # type: ignore[arg-type]
                "not an event|channels of numbers": event(["room", 5]),  # type: ignore[list-item]
                "not an event|socket id": event("room", socket_id=5),
                "not an event|info": event("room", info=["user_count"]),
                "not valid UTF-8|name": event("room").replace(b"told", b"\xff"),
                "not valid UTF-8|data": event("room", "x").replace(b'"x"', b'"\xff"'),
                "not valid UTF-8|object": event("room", {"a": "x"}).replace(b'"x"', b'"\xff"'),
            },
        )

    async def test_what_an_event_lacks(self) -> None:
        await self.refused(
            400,
            {
                "name|none": b'{"channels":["room"],"data":"x"}',
                "name|null": event("room", name=None),  # type: ignore[arg-type]
                "name|number": event("room", name=5),  # type: ignore[arg-type]
                "name|empty": event("room", name=""),
                "data": b'{"channels":["room"],"name":"told"}',
                "channels|none": b'{"data":"x","name":"told"}',
                "channels: the list is empty": event([]),
            },
        )

    async def test_names_that_may_not_be_used(self) -> None:
        await self.refused(
            400,
            {
                "pusher:": event("room", name="pusher:error"),
                "pusher_internal:": event("room", name="pusher_internal:member_added"),
                "channels: |a space": event(["room", "a room"]),
                "channels: |a slash": event(["room", "a/b"]),
                "channels: |none": event(["room", ""]),
                "channels: |a hash": event(["room", "#server-to-user"]),
                "channels: |a line": event(["room", "lobby\n"]),
                "socket_id: expected digits|letters": event("room", socket_id="a.b"),
                "socket_id: expected digits|half": event("room", socket_id="12"),
                "socket_id: expected digits|line": event("room", socket_id="1.2\n"),
                "socket_id: expected digits|empty": event("room", socket_id=""),
                "socket_id: expected digits|arabic": event("room", socket_id="١.٢"),
                "info: 'members'": event("room", info="user_count,members"),
            },
        )

    async def test_deep_nesting_is_refused_and_ours_to_bear(self) -> None:
        deep = "[" * DEEP + "]" * DEEP
        half = "[" * (DEEP * 2)
        await self.refused(
            400,
            {
                "nested too deeply|data": event("room", "@").replace(b'"@"', deep.encode()),
                "nested too deeply|name": event("room", name="@").replace(b'"@"', deep.encode()),
                "|channels": event("@").replace(b'"@"', deep.encode()),
                "|unknown": event("room", more="@").replace(b'"@"', deep.encode()),
                "|all": deep.encode(),
                "|half": half.encode(),
            },
        )
        assert "Traceback" not in self.log_text

    async def test_limits_hold_at_the_value_and_one_above(self) -> None:
        many = [f"c{number}" for number in range(101)]
        guest = await self.guest("room")
        for good in (
            event("room", name="n" * 200),
            event(["room", "c" * 200]),
            event(["room", *many[:99]]),
            event("room", "x" * 10_240),
            event("room", "ü" * 5_120),
        ):
            assert (await self.publish(good)).json == {}, good[:80]
            await guest.next()
        await self.refused(
            400,
            {
                "201 characters, the limit is 200 (max_event_name_length)": event(
                    "room", name="n" * 201
                ),
                "201 characters, the limit is 200 (max_channel_name_length)": event(
                    ["room", "c" * 201]
                ),
                "101 are named, the limit is 100 (max_channels_per_event)": event(many),
            },
        )
        await self.refused(
            413,
            {
                "10241 bytes, the limit is 10240 (max_event_bytes)|text": event(
                    "room", "x" * 10_241
                ),
                "10242 bytes, the limit is 10240 (max_event_bytes)|ü": event("room", "ü" * 5_121),
                "10243 bytes, the limit is 10240 (max_event_bytes)|list": event(
                    "room", ["x" * 10_239]
                ),
                "max_event_bytes": event(["room", "lobby"], "x" * 20_000),
            },
        )

    async def test_a_long_text_of_escapes_is_measured_by_what_it_says(self) -> None:
        guest = await self.guest("room")
        escaped = event("room", "@").replace(b"@", b"\\u00fc" * 5_000)
        assert (await self.publish(escaped)).json == {}
        assert (await guest.next())["data"] == "ü" * 5_000
        lone = event("room", "@").replace(b"@", b"\\ud800" * 5_000)
        response = await self.publish(lone)
        assert response.status in (200, 400, 413), response
        assert "Traceback" not in self.log_text

    async def test_what_was_encrypted_may_be_a_third_larger(self) -> None:
        guest = await self.guest("private-encrypted-room")
        assert (await self.publish(event("private-encrypted-room", "x" * 13_700))).json == {}
        await guest.next()
        await self.refused(413, {"max_event_bytes": event("private-encrypted-room", "x" * 14_000)})


class BatchTest(Refusals, LoopbackTestCase):
    async def send(self, *events: dict[str, Any]) -> Response:
        body = json.dumps({"batch": events}).encode()
        return await self.ask("POST", signed_target("POST", BATCH, body), body)

    async def test_the_events_of_a_batch_arrive_in_order(self) -> None:
        guest = await self.guest("a", "b")
        response = await self.send(
            {"name": "1", "channel": "a", "data": "x"},
            {"name": "2", "channel": "b", "data": "x"},
            {"name": "3", "channel": "a", "data": "x", "socket_id": guest.socket_id},
            {"name": "4", "channels": ["a"], "data": "x"},
        )
        assert response.json == {}
        assert [(await guest.next())["event"] for _ in range(3)] == ["1", "2", "4"]

    async def test_info_is_told_event_by_event_if_one_asks_for_it(self) -> None:
        await self.guest("a")
        response = await self.send(
            {"name": "1", "channel": "a", "data": "x"},
            {"name": "2", "channel": "a", "data": "x", "info": "subscription_count"},
            {"name": "3", "channel": "presence-b", "data": "x", "info": "user_count"},
        )
        assert response.json == {"batch": [{}, {"subscription_count": 1}, {"user_count": 0}]}

    async def test_an_empty_batch_is_fine(self) -> None:
        assert (await self.send()).json == {}

    async def test_ten_events_are_a_batch_and_eleven_are_too_many(self) -> None:
        guest = await self.guest("room")
        one = {"name": "told", "channel": "room", "data": "x"}
        assert (await self.send(*[one] * 10)).json == {}
        for _ in range(10):
            await guest.next()
        body = json.dumps({"batch": [one] * 11}).encode()
        await self.refused(400, {"11 events, the limit is 10 (max_events_per_batch)": body}, True)

    async def test_one_bad_event_refuses_the_whole_batch(self) -> None:
        one = {"name": "told", "channel": "room", "data": "x"}

        def with_bad(**bad: Any) -> bytes:
            return json.dumps({"batch": [one, {**one, **bad}]}).encode()

        await self.refused(
            400,
            {
                "batch[1]: name": with_bad(name=""),
                "batch[1]: channels": with_bad(channel="a room"),
                "batch[1]: socket_id": with_bad(socket_id="x"),
                "batch[1]: info": with_bad(info="x"),
                "not a batch|list": b"[]",
                "not a batch|object": b'{"batch":{}}',
                "not a batch|nothing": b"{}",
                "not valid JSON": b"{",
            },
            batch=True,
        )
        await self.refused(413, {"batch[1]: data": with_bad(data="x" * 10_241)}, batch=True)


class QuotaTest(LoopbackTestCase):
    settings = Settings(
        apps=(App(id=APP.id, key=APP.key, secret=Secret("a-secret"), event_rate=2, read_rate=1),),
        host="127.0.0.1",
        port=0,
    )

    async def test_who_publishes_too_often_is_told_when_to_come_again(self) -> None:
        guest = await self.guest("a", "b", "c")
        assert (await self.publish(event(["a", "b"]))).json == {}
        refused = await self.publish(event(["a", "b"]))
        assert refused.status == 429
        assert "event_rate" in refused.error
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-ratelimit-limit"] == "2"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert [(await guest.next())["channel"] for _ in range(2)] == ["a", "b"]

    async def test_who_asks_too_often_is_told_when_to_come_again(self) -> None:
        target = signed_target("GET", f"/apps/{APP.id}/channels")
        assert (await self.ask("GET", target)).status == 200
        refused = await self.ask("GET", target)
        assert refused.status == 429
        assert "read_rate" in refused.error
        assert (await self.publish(event("a"))).json == {}
