"""Asking over real connections: which channels there are, and who is in them."""

from __future__ import annotations

from typing import Any

from tests.loopback import LoopbackTestCase, Response
from tests.signing import APP, event, signed_target
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App, Secret

CHANNELS = f"/apps/{APP.id}/channels"


class ChannelsTest(LoopbackTestCase):
    async def get(self, path: str, **query: str) -> Response:
        return await self.ask("GET", signed_target("GET", path, **query))

    async def told(self, path: str, **query: str) -> Any:
        response = await self.get(path, **query)
        assert response.status == 200, response
        return response.json

    async def full_house(self) -> None:
        for user in ("ada", "ada", "bob"):
            guest = await self.guest("news", "private-room")
            await guest.joined("presence-room", f'{{"user_id":"{user}","user_info":{{"n":1}}}}')

    async def test_where_nobody_is_there_are_no_channels(self) -> None:
        assert await self.told(CHANNELS) == {"channels": {}}
        assert await self.told(f"{CHANNELS}/news") == {"occupied": False}
        assert await self.told(f"{CHANNELS}/news", info="subscription_count") == {
            "occupied": False,
            "subscription_count": 0,
        }
        assert await self.told(f"{CHANNELS}/presence-room/users") == {"users": []}
        assert await self.told(f"/apps/{APP.id}/connections") == {"connections": 0}

    async def test_the_occupied_channels_are_listed(self) -> None:
        await self.full_house()
        assert await self.told(CHANNELS) == {
            "channels": {"news": {}, "private-room": {}, "presence-room": {}}
        }
        assert await self.told(CHANNELS, filter_by_prefix="pr") == {
            "channels": {"private-room": {}, "presence-room": {}}
        }
        assert await self.told(CHANNELS, filter_by_prefix="x") == {"channels": {}}
        assert await self.told(f"/apps/{APP.id}/connections") == {"connections": 3}

    async def test_counts_are_told_when_asked_for(self) -> None:
        await self.full_house()
        assert await self.told(CHANNELS, info="subscription_count") == {
            "channels": {
                name: {"subscription_count": 3}
                for name in ("news", "private-room", "presence-room")
            }
        }
        assert await self.told(
            CHANNELS, filter_by_prefix="presence-", info="user_count,subscription_count"
        ) == {"channels": {"presence-room": {"user_count": 2, "subscription_count": 3}}}
        assert await self.told(f"{CHANNELS}/presence-room", info="user_count") == {
            "occupied": True,
            "user_count": 2,
        }

    async def test_a_list_of_attributes_may_be_spelt_as_libraries_do(self) -> None:
        await self.full_house()
        path = f"{CHANNELS}/presence-room"
        for query in (
            {"info": "user_count,subscription_count"},
            {"info[0]": "user_count", "info[1]": "subscription_count"},
        ):
            assert (await self.told(path, **query)).keys() == {
                "occupied",
                "user_count",
                "subscription_count",
            }

    async def test_the_users_of_a_presence_channel_are_told_once_each(self) -> None:
        await self.full_house()
        path = f"{CHANNELS}/presence-room/users"
        assert await self.told(path) == {"users": [{"id": "ada"}, {"id": "bob"}]}
        assert await self.told(path, with_user_info="1") == {
            "users": [
                {"id": "ada", "user_info": {"n": 1}},
                {"id": "bob", "user_info": {"n": 1}},
            ]
        }

    async def test_what_a_cache_channel_remembers_is_told(self) -> None:
        path = f"{CHANNELS}/cache-room"
        assert await self.told(path, info="cache") == {"occupied": False, "cache": None}
        await self.publish(event("cache-room", '{"n":1}'))
        cache = (await self.told(path, info="cache"))["cache"]
        assert cache["data"] == '{"n":1}'
        assert 1790 < cache["ttl"] <= 1800

    async def test_what_may_not_be_asked_is_400(self) -> None:
        for path, query, text in (
            (CHANNELS, {"info": "user_count"}, "filter_by_prefix"),
            (CHANNELS, {"info": "cache"}, "'cache' is not known here"),
            (f"{CHANNELS}/news", {"info": "user_count"}, "presence"),
            (f"{CHANNELS}/news", {"info": "cache"}, "cache channels"),
            (f"{CHANNELS}/news", {"info": "members"}, "'members' is not known here"),
            (f"{CHANNELS}/news/users", {}, "only presence channels have users"),
            (f"{CHANNELS}/a%20b", {}, "letters, digits"),
            (f"{CHANNELS}/{'c' * 201}", {}, "max_channel_name_length"),
            (f"{CHANNELS}/presence-%2F/users", {}, "letters, digits"),
        ):
            response = await self.get(path, **query)
            assert response.status == 400, (path, response)
            assert text in response.error, response.error

    async def test_who_has_left_is_not_counted(self) -> None:
        guest = await self.guest("news")
        guest.leave("news")
        guest.say("pusher:ping")
        await guest.expect("pusher:pong")
        assert await self.told(CHANNELS) == {"channels": {}}
        guest.sendClose()
        await guest.closed()
        assert await self.told(f"/apps/{APP.id}/connections") == {"connections": 0}


class AlwaysReportTest(LoopbackTestCase):
    settings = Settings(
        apps=(
            App(
                id=APP.id,
                key=APP.key,
                secret=Secret("a-secret"),
                always_report_subscription_count=True,
            ),
        ),
        host="127.0.0.1",
        port=0,
    )

    async def test_the_subscription_count_is_told_unasked(self) -> None:
        await self.guest("news")
        response = await self.ask("GET", signed_target("GET", f"{CHANNELS}/news"))
        assert response.json == {"occupied": True, "subscription_count": 1}
