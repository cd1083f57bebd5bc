"""Which request is answered how: every status of the API, over real connections.

The cases run twice: as backends' libraries ask, and with a header that is not common, so that
twisted.web reads the request.
"""

from __future__ import annotations

import time
from typing import Any

from tests.loopback import LoopbackTestCase, Response, request
from tests.signing import APP, SECRET, event, signed_target
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App, Secret

EVENTS = f"/apps/{APP.id}/events"


class Statuses:
    """The cases; ``more`` are the headers of each request."""

    more: dict[str, str] = {}
    port: int

    async def ask_as(self: Any, method: str, target: str, body: bytes = b"") -> Response:
        return await self.ask(method, target, body, **self.more)

    async def test_the_root_says_ok(self: Any) -> None:
        response = await self.ask_as("GET", "/")
        assert (response.status, response.body) == (200, b"OK")
        assert response.headers["content-type"] == "text/plain; charset=utf-8"

    async def test_up_says_that_it_is_healthy(self: Any) -> None:
        assert (await self.ask_as("GET", "/up")).json == {"health": "OK"}

    async def test_ready_says_what_speaks_against_it(self: Any) -> None:
        assert (await self.ask_as("GET", "/ready")).json == {"ready": True}
        readiness = self.relay.readiness
        readiness.withdraw("drain", "the server is stopping")
        readiness.withdraw("redis", "no connection")
        response = await self.ask_as("GET", "/ready")
        assert response.status == 503
        assert response.error == "the server is stopping; no connection"
        assert response.headers["retry-after"] == "1"
        assert (await self.ask_as("GET", "/up")).status == 200, "it is alive all the same"
        readiness.restore("drain")
        readiness.restore("redis")
        assert (await self.ask_as("GET", "/ready")).status == 200

    async def test_requests_are_counted_by_route_and_status(self: Any) -> None:
        for _ in range(3):
            await self.ask_as("GET", "/up")
        await self.ask_as("POST", "/up")
        await self.ask_as("GET", f"/apps/{APP.id}/channels/room/users")
        await self.ask_as("GET", f"/apps/{APP.id}/channels/hall/users")
        await self.ask_as("GET", "/nowhere")
        await self.ask_as("GET", f"/app/{APP.key}")
        tally = self.relay.tally
        assert tally.requests == {
            ("/up", 200): 3,
            ("/up", 405): 1,
            ("/apps/{app_id}/channels/{channel_name}/users", 401): 2,
            ("elsewhere", 404): 1,
            ("/app/{app_key}", 426): 1,
        }
        assert {route: sum(d.counts) for route, d in tally.request_durations.items()} == {
            "/up": 4,
            "/apps/{app_id}/channels/{channel_name}/users": 2,
            "elsewhere": 1,
            "/app/{app_key}": 1,
        }

    async def test_a_head_request_has_the_head_of_a_get(self: Any) -> None:
        for path in ("/", "/up", "/ready"):
            got, head = await self.ask_as("GET", path), await self.ask_as("HEAD", path)
            assert head.status == got.status
            assert head.body == b""
            for name in ("content-type", "content-length"):
                assert head.headers[name] == got.headers[name]

    async def test_health_is_read_only(self: Any) -> None:
        for method in ("POST", "PUT", "DELETE"):
            response = await self.ask_as(method, "/up", b"{}")
            assert response.status == 405
            assert response.headers["allow"] == "GET, HEAD"
            assert "GET, HEAD" in response.error

    async def test_an_address_that_is_none_is_404(self: Any) -> None:
        for path in ("/nowhere", "/apps", f"/apps/{APP.id}", f"/apps/{APP.id}/", "/up/1", "/app"):
            response = await self.ask_as("GET", path)
            assert response.status == 404, path
            assert "no such address" in response.error

    async def test_an_unknown_app_is_404_and_its_id_is_told(self: Any) -> None:
        response = await self.ask_as("POST", "/apps/77/events", b"{}")
        assert response.status == 404
        assert "'77'" in response.error

    async def test_an_unknown_address_of_an_app_is_404(self: Any) -> None:
        for path in ("event", "events/", "events/1", "channels/a/b", "users/1"):
            response = await self.ask_as("POST", f"/apps/{APP.id}/{path}", b"{}")
            assert response.status == 404, path
            assert "below /apps/{id}/" in response.error

    async def test_a_wrong_method_is_405_with_the_right_one(self: Any) -> None:
        for wrong, path, right in (
            ("GET", "events", "POST"),
            ("HEAD", "events", "POST"),
            ("PUT", "batch_events", "POST"),
            ("POST", "channels", "GET"),
            ("DELETE", "channels/room", "GET"),
            ("POST", "channels/presence-room/users", "GET"),
            ("GET", "users/ada/terminate_connections", "POST"),
        ):
            response = await self.ask_as(wrong, f"/apps/{APP.id}/{path}")
            assert (response.status, response.headers["allow"]) == (405, right)

    async def test_a_socket_address_asks_for_an_upgrade(self: Any) -> None:
        response = await self.ask_as("GET", f"/app/{APP.key}?protocol=7")
        assert response.status == 426
        assert response.headers["upgrade"] == "websocket"
        assert response.headers["connection"] == "Upgrade"
        assert "ws://" in response.error

    async def test_a_socket_address_is_asked_with_get_like_any_other(self: Any) -> None:
        for method in ("POST", "PUT", "DELETE", "TRACE"):
            response = await self.ask_as(method, f"/app/{APP.key}")
            assert (response.status, response.headers["allow"]) == (405, "GET, HEAD"), method
        head = await self.ask_as("HEAD", f"/app/{APP.key}")
        assert (head.status, head.body) == (426, b"")

    # -- 401 and 403 -------------------------------------------------------------------------

    async def refused(self: Any, body: bytes, target: str, reason: str) -> None:
        guest = await self.guest("room")
        response = await self.ask_as("POST", target, body)
        assert response.status == 401
        assert reason in response.error
        assert SECRET not in response.error
        assert "auth_signature=" not in response.error
        assert SECRET not in self.log_text
        await self.nothing_came_to(guest)

    async def nothing_came_to(self: Any, guest: Any) -> None:
        """What comes next to a subscriber of ``room`` is what is published next."""
        assert (await self.publish(event("room", name="the next"))).status == 200
        assert (await guest.next())["event"] == "the next"

    async def test_an_unsigned_request_is_401(self: Any) -> None:
        await self.refused(event("room"), EVENTS, "auth_key")

    async def test_a_request_of_another_app_is_401(self: Any) -> None:
        target = signed_target("POST", EVENTS, event("room"), auth_key="another-key")
        await self.refused(event("room"), target, "auth_key")

    async def test_a_wrong_signature_is_401_and_the_log_knows_what_to_sign(self: Any) -> None:
        body = event("room")
        target = signed_target("POST", EVENTS, body)
        last = target[-1]
        await self.refused(body, target[:-1] + ("0" if last != "0" else "1"), "auth_signature")
        assert "expected a signature of 'POST\\n/apps/1001/events\\nauth_key=" in self.log_text

    async def test_a_body_that_is_not_the_signed_one_is_401(self: Any) -> None:
        target = signed_target("POST", EVENTS, event("room"))
        await self.refused(event(["room", "lobby"]), target, "body_md5")

    async def test_an_old_or_early_request_is_401(self: Any) -> None:
        for off in (-601, 601):
            body = event("room")
            target = signed_target("POST", EVENTS, body, signed_at=time.time() + off)
            await self.refused(body, target, "auth_timestamp")

    async def test_a_disabled_app_is_403_but_only_to_its_own_backend(self: Any) -> None:
        body = event("room")
        target = "/apps/off/events"
        response = await self.ask_as("POST", target, body)
        assert response.status == 401
        response = await self.ask_as(
            "POST", signed_target("POST", target, body, auth_key="off-key"), body
        )
        assert response.status == 403
        assert "enabled" in response.error

    async def test_where_only_the_key_tells_the_app_an_unknown_one_is_401(self: Any) -> None:
        path = "/users/ada/terminate_connections"
        assert (await self.ask_as("POST", signed_target("POST", path))).json == {}
        for target in (path, signed_target("POST", path, auth_key="another-key")):
            response = await self.ask_as("POST", target)
            assert response.status == 401
            assert "auth_key" in response.error
        response = await self.ask_as("GET", path)
        assert (response.status, response.headers["allow"]) == (405, "POST")

    async def test_the_log_gives_a_reason_for_every_401_and_a_text_to_sign_if_that_was_wrong(
        self: Any,
    ) -> None:
        await self.ask_as("POST", EVENTS)
        assert "refused (401): auth_key: missing" in self.log_text
        assert "expected a signature" not in self.log_text

    # -- 500 ---------------------------------------------------------------------------------

    async def test_a_fault_of_ours_is_500_without_details_and_stands_in_the_log(
        self: Any,
    ) -> None:
        async def fails(*_: object) -> None:
            raise RuntimeError("what only we may know")

        self.patch(self.relay.relay, "publish_surely", fails)
        body = event("room")
        response = await self.ask_as("POST", signed_target("POST", EVENTS, body), body)
        assert response.status == 500
        assert "only we" not in response.error
        [failure] = self.flushLoggedErrors(RuntimeError)
        assert "only we" in str(failure.value)

    async def test_after_an_error_the_connection_goes_on(self: Any) -> None:
        connection = await self.http()
        for method, path, status in (
            ("GET", "/nowhere", 404),
            ("DELETE", "/up", 405),
            ("POST", EVENTS, 401),
            ("GET", "/up", 200),
        ):
            connection.send(request(method, path, **self.more))
            assert (await connection.response()).status == status

    # -- escapes -----------------------------------------------------------------------------

    async def test_names_in_a_path_may_be_escaped_or_not(self: Any) -> None:
        guest = await self.guest("a=b,c@d.e;f")
        for name in ("a=b,c@d.e;f", "a%3Db%2Cc%40d.e%3Bf"):
            path = f"/apps/{APP.id}/channels/{name}"
            response = await self.ask_as("GET", signed_target("GET", path))
            assert response.json == {"occupied": True}, path
        assert guest.take() == []

    async def test_a_semicolon_in_a_query_divides_nothing(self: Any) -> None:
        await self.guest("a;b", "a")
        target = signed_target("GET", f"/apps/{APP.id}/channels", filter_by_prefix="a;")
        for each in (target, target.replace("%3B", ";")):
            assert (await self.ask_as("GET", each)).json == {"channels": {"a;b": {}}}

    async def test_a_blank_value_in_a_query_is_signed_too(self: Any) -> None:
        target = signed_target("GET", f"/apps/{APP.id}/channels", info="", more="")
        assert (await self.ask_as("GET", target)).json == {"channels": {}}


APPS = Settings(
    apps=(
        APP,
        App(id="off", key="off-key", secret=Secret(SECRET), enabled=False),
        App(id="office:é", key="other-key", secret=Secret(SECRET)),
    ),
    host="127.0.0.1",
    port=0,
)


class AsLibrariesAskTest(Statuses, LoopbackTestCase):
    settings = APPS

    async def test_an_apps_id_may_be_escaped(self) -> None:
        for path in ("/apps/office%3A%C3%A9/channels", "/apps/office:%c3%a9/channels"):
            target = signed_target("GET", path, auth_key="other-key")
            assert (await self.ask("GET", target)).json == {"channels": {}}, path


class AsTwistedWebReadsItTest(Statuses, LoopbackTestCase):
    settings = APPS
    more = {"TE": "trailers"}


class PathPrefixTest(LoopbackTestCase):
    settings = Settings(apps=(APP,), host="127.0.0.1", port=0, path_prefix="/realtime")

    async def test_everything_is_below_the_prefix(self) -> None:
        assert (await self.ask("GET", "/realtime/up")).json == {"health": "OK"}
        assert (await self.ask("GET", "/realtime")).body == b"OK"
        assert (await self.ask("GET", "/realtime/")).body == b"OK"
        visitor = await self.visitor(f"/realtime/app/{APP.key}")
        await visitor.welcome()
        await visitor.joined("room")
        target = signed_target("POST", f"/realtime/apps/{APP.id}/events", event("room"))
        assert (await self.ask("POST", target, event("room"))).json == {}
        assert (await visitor.next())["event"] == "told"

    async def test_outside_of_it_there_is_nothing(self) -> None:
        for path in ("/", "/up", f"/app/{APP.key}", f"/apps/{APP.id}/events", "/real"):
            response = await self.ask("GET", path)
            assert response.status == 404
            assert "/realtime" in response.error
        assert (await self.ask("GET", "/realtimes/up")).status == 404
