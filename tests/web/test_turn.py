"""Credentials of a TURN server, asked for by a backend."""

from __future__ import annotations

import time

from msgspec.structs import replace

from tests.loopback import LoopbackTestCase, Response
from tests.signing import APP, signed_target
from wsrelay.config.settings import Settings
from wsrelay.core.rules import Rule, Turn
from wsrelay.core.secret import Secret
from wsrelay.rules.turn import ice_servers

TURN = Turn(urls=("turn:turn.example.org", "turns:turn.example.org"), secret=Secret("north"))
OFFICE = Rule(channels="presence-office.*", turn=TURN)


class TurnTest(LoopbackTestCase):
    settings = Settings(apps=(replace(APP, rules=(OFFICE,)),), host="127.0.0.1", port=0)

    async def asked(self, channel: str, **query: str) -> Response:
        path = f"/apps/{APP.id}/channels/{channel}/turn"
        return await self.ask("GET", signed_target("GET", path, **query))

    async def test_a_backend_is_given_what_the_member_is_told(self) -> None:
        earliest = int(time.time())
        given = (await self.asked("presence-office.1", user_id="ada")).json
        ends = int(given["iceServers"][0]["username"].partition(":")[0])
        assert earliest <= ends - TURN.ttl <= time.time()
        assert given == ice_servers(TURN, "ada", ends - TURN.ttl)

    async def test_the_request_must_be_signed(self) -> None:
        path = f"/apps/{APP.id}/channels/presence-office.1/turn?user_id=ada"
        assert (await self.ask("GET", path)).status == 401

    async def test_what_is_missing_is_told(self) -> None:
        for channel, query, status, told in (
            ("presence-lounge.1", {"user_id": "ada"}, 404, "no rule gives 'presence-lounge.1'"),
            ("presence-office.1", {}, 400, "user_id: missing"),
            ("presence-office.1", {"user_id": "a" * 129}, 400, "129 characters"),
        ):
            response = await self.asked(channel, **query)
            assert (response.status, told in response.error) == (status, True), response
