"""docs/openapi.yaml tells the truth: about addresses, statuses, bodies, headers and limits."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from twisted.internet.utils import getProcessOutputAndValue

from tests.loopback import LoopbackTestCase, Response
from tests.signing import APP, SECRET, event, signed_target
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App, Secret
from wsrelay.core.errors import PublishRefused
from wsrelay.core.rules import Rule, Turn
from wsrelay.web import api
from wsrelay.web.api import OPEN, SIGNED
from wsrelay.web.signed import CLOCK_SKEW

ROOT = Path(__file__).parents[2]
OPENAPI = ROOT / "docs" / "openapi.yaml"
DESCRIPTION: dict[str, Any] = yaml.safe_load(OPENAPI.read_text())

#: Each limit's number stands in the description under one of these.
BOUNDS = {"maxLength", "maxItems", "maximum", "x-max-bytes", "x-default"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation."""
    for path, item in DESCRIPTION["paths"].items():
        for method in item.keys() & {"get", "post", "put", "delete", "patch", "head", "options"}:
            yield path, method.upper(), item[method]


def nodes(node: Any = DESCRIPTION) -> Iterator[dict[str, Any]]:
    """Every object in the description."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The object itself, or the one that it refers to."""
    while "$ref" in node:
        target: Any = DESCRIPTION
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def without_names(path: str) -> str:
    """``/apps/{app_id}/events`` as ``/apps/{}/events``."""
    return re.sub(r"\{\w+\}", "{}", path)


# -- addresses -----------------------------------------------------------------------------------


def test_what_is_described_below_apps_is_what_the_route_table_has() -> None:
    served = {(method, without_names(f"/apps/{{app_id}}/{path}")) for method, path, _ in SIGNED}
    described = {(method, without_names(path)) for path, method, _ in operations()}
    assert {(method, path) for method, path in described if path.startswith("/apps/")} == served


def test_what_is_described_elsewhere_is_what_is_served_there() -> None:
    described = {(m, without_names(p)) for p, m, _ in operations() if not p.startswith("/apps/")}
    served = {("GET", path or "/") for path in OPEN}
    assert described == served | {("GET", "/app/{}"), ("POST", "/users/{}/terminate_connections")}


# -- limits --------------------------------------------------------------------------------------

LIMITS = [node for node in nodes() if "x-setting" in node]


@pytest.mark.parametrize("limit", LIMITS, ids=[limit["x-setting"] for limit in LIMITS])
def test_a_described_limit_is_the_default_of_the_setting_it_names(limit: dict[str, Any]) -> None:
    setting = limit["x-setting"]
    owner = APP if setting in App.__struct_fields__ else Settings()
    [bound] = limit.keys() & BOUNDS
    assert limit[bound] == getattr(owner, setting)
    if bound == "x-max-bytes":
        assert f"{limit[bound]:,} bytes" in limit["description"]


def test_every_bound_names_the_setting_that_moves_it() -> None:
    for node in nodes():
        assert "x-setting" in node or not node.keys() & BOUNDS, node


def test_every_limit_that_the_api_looks_at_is_described() -> None:
    sources = [*(ROOT / "wsrelay/web").glob("*.py"), ROOT / "wsrelay/pusher/publishing.py"]
    text = "\n".join(source.read_text() for source in sources)
    looked_at = set(re.findall(r"\bapp\.(max_\w+|\w+_rate|cache_seconds)\b", text))
    assert "max_event_bytes" in looked_at
    assert looked_at <= {limit["x-setting"] for limit in LIMITS}


def test_how_far_clocks_may_be_apart_is_described() -> None:
    schemes = DESCRIPTION["components"]["securitySchemes"]
    assert f" {CLOCK_SKEW} s " in schemes["auth_timestamp"]["description"]


# -- statuses ------------------------------------------------------------------------------------


#: In every channel, so that there are credentials to be asked for.
TURN = Rule(channels="*", turn=Turn(urls=("turn:turn.example.org",), secret=Secret("north")))


class EveryStatusTest(LoopbackTestCase):
    """Each status that is described for an operation can be had, with the headers described."""

    settings = Settings(
        apps=(
            replace(APP, rules=(TURN,)),
            App(id="off", key="off-key", secret=Secret(SECRET), enabled=False),
            App(id="slow", key="slow-key", secret=Secret(SECRET), event_rate=0.01, read_rate=0.01),
        ),
        host="127.0.0.1",
        port=0,
        max_body_bytes=1024,
    )

    async def test_every_status_that_is_described_is_given_so(self) -> None:
        asked = 0
        for path, method, operation in operations():
            for status, referred in operation["responses"].items():
                described = resolved(referred)
                response = await self.provoked(int(status), method, path)
                where = f"{method} {path} {status}"
                assert response.status == int(status), (where, response)
                assert response.headers["content-type"].split(";")[0] in described["content"], where
                if response.status >= 400:
                    assert response.error, where
                for name, header in described.get("headers", {}).items():
                    assert not resolved(header)["required"] or name.lower() in response.headers
                asked += 1
        assert asked > 50

    async def provoked(self, status: int, method: str, path: str) -> Response:
        """The answer to a request that should get this status."""
        match status:
            case 400:
                spoiled = {"channel_name": "room"} if path.endswith("/users") else {}
                return await self.signed(method, path, b"{", spoiled, info="shoe_size", user_id="")
            case 401:
                return await self.ask(method, self.filled(path))
            case 403:
                key = {"auth_key": "off-key"}
                return await self.signed(method, path, self.body(path), {"app_id": "off"}, **key)
            case 404:
                return await self.signed(method, path, self.body(path), {"app_id": "77"})
            case 405:
                return await self.ask("DELETE", self.filled(path))
            case 413:
                return await self.signed(method, path, b" " * 1025)
            case 429:
                key = {"auth_key": "slow-key"}
                for _ in range(2):
                    response = await self.signed(
                        method, path, self.body(path), {"app_id": "slow"}, **key
                    )
                return response
            case 500:
                return await self.at_fault(method, path)
            case 503 if path == "/ready":
                self.relay.readiness.withdraw("drain", "the server is stopping")
                response = await self.ask(method, path)
                self.relay.readiness.restore("drain")
                return response
            case 503:

                async def refuses(*_: object) -> None:
                    raise PublishRefused(503, "the other nodes can't be reached")

                broken = self.patch(self.relay.relay, "publish_surely", refuses)
                response = await self.signed(method, path, self.body(path))
                broken.restore()
                return response
        return await self.signed(method, path, self.body(path))

    async def at_fault(self, method: str, path: str) -> Response:
        def fails(*_: object) -> None:
            raise RuntimeError("a fault of ours")

        broken = self.patch(api, "check_request", fails)
        response = await self.signed(method, path, self.body(path))
        broken.restore()
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        return response

    async def signed(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        names: Mapping[str, str] = {},
        **query: str,
    ) -> Response:
        if path.endswith("/turn"):
            query = {"user_id": "42"} | query
        target = signed_target(method, self.filled(path, **names), body, **query)
        return await self.ask(method, target, body)

    def filled(self, path: str, **names: str) -> str:
        usual = {
            "app_id": APP.id,
            "app_key": APP.key,
            "channel_name": "presence-lobby",
            "user_id": "42",
        }
        return path.format(**usual | names)

    def body(self, path: str) -> bytes:
        match path.rpartition("/")[2]:
            case "events":
                return event("room")
            case "batch_events":
                return b'{"batch":[%b]}' % event("room")
        return b""


# -- whatever schemathesis can think of ----------------------------------------------------------


class ConformanceTest(LoopbackTestCase):
    """Requests made out of the description, right ones and wrong ones, to a busy server.

    What is right has to be accepted and what is wrong refused; no answer may have a status, a
    type, a body or a header that is not described.
    """

    timeout = 90
    busy = ("room", "private-orders", "presence-lobby", "cache-news")
    settings = Settings(
        apps=(replace(APP, rules=(*(Rule(channels=name) for name in busy), TURN)),),
        host="127.0.0.1",
        port=0,
    )
    options: tuple[str, ...] = ()

    async def test_the_server_answers_as_it_is_described(self) -> None:
        for member in (None, '{"user_id":"ada","user_info":{"a":[1]}}', '{"user_id":"bob"}'):
            guest = await self.guest("room", "private-orders")
            if member is not None:
                await guest.joined("presence-lobby", member)
            await guest.joined("cache-news")
        assert (await self.publish(event("cache-news"))).status == 200
        published = self.relay.tally.publications
        out, err, code = await getProcessOutputAndValue(
            sys.executable,
            (
                *("-m", "schemathesis.cli", "--no-color"),
                *("--config-file", "tests/web/schemathesis.toml"),
                *("run", "docs/openapi.yaml", "--url", f"http://127.0.0.1:{self.port}"),
                *self.options,
            ),
            env=os.environ,
            path=str(ROOT),
        )
        assert code == 0, (out + err).decode()
        assert self.relay.tally.publications > published + 50


class ConformanceOnTheSlowLaneTest(ConformanceTest):
    """The same with a header that is not common, so that twisted.web reads the requests."""

    options = ("--header", "TE: trailers", "--phases", "examples,coverage")
