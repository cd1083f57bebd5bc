"""Closing the connections of a user who has signed in, over real connections."""

from __future__ import annotations

import json

from tests.loopback import LoopbackTestCase
from tests.signing import APP, signed_target, signin_auth
from tests.visitor import Visitor


class TerminateTest(LoopbackTestCase):
    async def signed_in(self, user_id: str) -> Visitor:
        guest = await self.guest()
        user_data = json.dumps({"id": user_id})
        guest.say(
            "pusher:signin",
            data={"auth": signin_auth(guest.socket_id, user_data), "user_data": user_data},
        )
        await guest.expect("pusher:signin_success")
        return guest

    async def test_every_connection_of_the_user_is_closed_and_nobody_elses(self) -> None:
        one, other = await self.signed_in("ada"), await self.signed_in("ada")
        bystander, stranger = await self.signed_in("bob"), await self.guest()
        await stranger.joined("presence-room", '{"user_id":"ada"}')
        path = f"/apps/{APP.id}/users/ada/terminate_connections"
        for body in (b"{}", b""):
            assert (await self.ask("POST", signed_target("POST", path, body), body)).json == {}
        for guest in (one, other):
            error = await guest.expect("pusher:error")
            assert error["data"]["code"] == 4009
            farewell = await guest.closed()
            assert farewell is not None
            assert farewell[0] == 4009
        for guest in (bystander, stranger):
            guest.say("pusher:ping")
            await guest.expect("pusher:pong")

    async def test_a_users_id_may_be_escaped(self) -> None:
        guest = await self.signed_in("a@b.c")
        path = f"/apps/{APP.id}/users/a%40b.c/terminate_connections"
        assert (await self.ask("POST", signed_target("POST", path))).json == {}
        await guest.expect("pusher:error")
        await guest.closed()

    async def test_a_user_who_is_not_there_is_no_error(self) -> None:
        path = f"/apps/{APP.id}/users/nobody/terminate_connections"
        assert (await self.ask("POST", signed_target("POST", path))).json == {}

    async def test_the_python_library_leaves_out_the_app_and_signs_it_so(self) -> None:
        guest = await self.signed_in("ada")
        path = "/users/ada/terminate_connections"
        assert (await self.ask("POST", signed_target("POST", path, b"{}"), b"{}")).json == {}
        await guest.expect("pusher:error")
        await guest.closed()
