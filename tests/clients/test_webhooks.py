"""Webhooks of a real server, received and judged by the webhook code of npm's and PyPI's `pusher`.

The server has two apps, one of them with batching, and each tells both receivers of everything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import pusher  # type: ignore[import-untyped]
import pytest

from tests.clients.backends import NpmPusher
from tests.clients.listening import Ear, Found
from tests.clients.packages import HERE
from tests.clients.program import DEADLINE, Program
from tests.clients.relay import App, OwnServer, Relay, elsewhere, toml
from tests.clients.sdks import NewPusherJs, PusherJs, Unique, address

pytestmark = pytest.mark.skipif(elsewhere() is not None, reason="the server needs webhooks")

SINGLE = App("3001", "single-key", "single-secret")
BATCHED = App("3002", "batched-key", "batched-secret")
Visit = Callable[[Relay, str], None]
APPS = {app.id: app for app in (SINGLE, BATCHED)}

#: A web application on a free port; the path says of which app it believes a webhook to be.
NPM_RECEIVER = """
import { createServer } from "node:http"
import Pusher from "pusher"
import { say, serve } from "./js/lines.mjs"

const apps = JSON.parse(process.argv[1])
const site = createServer(async (request, response) => {
  let rawBody = ""
  for await (const piece of request.setEncoding("utf8")) rawBody += piece
  const app = apps[request.url.slice(1)]
  const library = new Pusher({ ...app, appId: app.id })
  const webhook = library.webhook({ headers: request.headers, rawBody })
  const isValid = webhook.isValid()
  say({ isValid, app: app.id, events: webhook.getEvents(), time: webhook.getTime().getTime() })
  response.writeHead(isValid ? 200 : 401).end("thanks")
})
await new Promise((listening) => site.listen(0, "127.0.0.1", listening))
serve(() => site.address().port)
"""


class PyPiReceiver:
    """The same with PyPI's library, whose ``validate_webhook`` also looks at the time."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._reports: list[Mapping[str, Any]] = []
        self._site = ThreadingHTTPServer(("127.0.0.1", 0), self._page())
        self._site.daemon_threads = True
        self.port = self._site.server_port
        self._serving = Thread(target=self._site.serve_forever, daemon=True)
        self._serving.start()

    def reports(self) -> Sequence[Mapping[str, Any]]:
        return list(self._reports)

    def wait_for(self, look: Callable[[], Found | None], wanted: str) -> Found:
        ends = time.monotonic() + DEADLINE
        with self._changed:
            while (found := look()) is None:
                if not self._changed.wait(max(ends - time.monotonic(), 0.0)):
                    raise AssertionError(f"waited for {wanted}; heard: {self._reports}")
            return found

    def close(self) -> None:
        self._site.shutdown()
        self._serving.join()
        self._site.server_close()

    def _hear(self, report: Mapping[str, Any]) -> None:
        with self._changed:
            self._reports.append(report)
            self._changed.notify_all()

    def _page(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Page(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                app = APPS[self.path[1:]]
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                library = pusher.Pusher(app.id, app.key, app.secret)
                told = library.validate_webhook(
                    self.headers["X-Pusher-Key"], self.headers["X-Pusher-Signature"], body
                )
                content = told or json.loads(body)
                receiver._hear(
                    {
                        "isValid": told is not None,
                        "app": app.id,
                        "events": content["events"],
                        "time": content["time_ms"],
                    }
                )
                # Not before it is written down: the next one comes when this one is answered.
                self.send_response(401 if told is None else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing: what came is among the reports."""

        return Page


class Receiver:
    """Where the webhooks of one library arrive."""

    def __init__(self, ear: Ear, port: int) -> None:
        self._ear = ear
        self.port = port

    def requests(self, channel: str) -> list[Mapping[str, Any]]:
        """Those that tell of the channel, in the order in which they came."""
        return [
            report
            for report in self._ear.reports()
            if channel in [event["channel"] for event in report["events"]]
        ]

    def events(self, channel: str) -> list[dict[str, Any]]:
        return [
            event
            for report in self._ear.reports()
            for event in report["events"]
            if event["channel"] == channel
        ]

    def hear(self, name: str, channel: str) -> dict[str, Any]:
        """Waits for the first event of the name."""

        def look() -> dict[str, Any] | None:
            return next((one for one in self.events(channel) if one["name"] == name), None)

        return self._ear.wait_for(look, f"{name} of {channel}")

    def all_are_valid(self) -> bool:
        return all(report["isValid"] for report in self._ear.reports())


@pytest.fixture(scope="module")
def receivers(node: str) -> Iterator[Sequence[Receiver]]:
    apps = {app.id: {"id": app.id, "key": app.key, "secret": app.secret} for app in APPS.values()}
    command = [node, "--input-type=module", "--eval", NPM_RECEIVER, json.dumps(apps)]
    with closing(Program(command, cwd=HERE)) as npm, closing(PyPiReceiver()) as pypi:
        yield Receiver(npm, npm.ask("port")), Receiver(pypi, pypi.port)


def configuration(receivers: Sequence[Receiver], may_reach_private: bool = True) -> str:
    """A server's file in which every app tells all receivers."""
    text = f"webhook_private_addresses = {json.dumps(may_reach_private)}\n"
    for app in APPS.values():
        text += toml({app: {"subscription_count": True, "webhook_batching": app is BATCHED}})
        for receiver in receivers:
            text += f'[[apps.webhooks]]\nurl = "http://127.0.0.1:{receiver.port}/{app.id}"\n'
    return text


@contextmanager
def running(cwd: Path, text: str) -> Iterator[OwnServer]:
    server = OwnServer(cwd, text)
    try:
        server.relay()
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.text(), server.text()


@pytest.fixture(scope="module")
def hooked(
    tmp_path_factory: pytest.TempPathFactory, receivers: Sequence[Receiver]
) -> Iterator[OwnServer]:
    with running(tmp_path_factory.mktemp("hooked"), configuration(receivers)) as server:
        yield server


@pytest.fixture(params=[SINGLE, BATCHED], ids=["single", "batched"])
def relay(request: pytest.FixtureRequest, hooked: OwnServer) -> Relay:
    """The server with webhooks, by each of its apps in turn."""
    app: App = request.param
    return hooked.relay(app)


@pytest.fixture
def visit(node_process: Callable[[], Program], npm_site: Program) -> Visit:
    """Lets a client of a server subscribe to a channel, and stay there."""

    def subscribe(relay: Relay, channel: str) -> None:
        client = PusherJs(node_process(), "ada")
        endpoint = NpmPusher(npm_site, relay).endpoint("/pusher/auth", "ada", name="Ada")
        client.connect("pusher-js", relay.app.key, {**address(relay), "authEndpoint": endpoint})
        client.subscribe(channel)

    return subscribe


@pytest.fixture
def home(node_process: Callable[[], Program]) -> Callable[[], Program]:
    return node_process


def test_all_seven_kinds_arrive_and_the_libraries_believe_them(
    receivers: Sequence[Receiver], pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby, news = unique("presence-lobby"), unique("cache-news")
    ada, bob = pusher_js("ada"), pusher_js("bob")
    ada.subscribe(lobby)
    bob.subscribe(lobby)
    ada.trigger(lobby, "client-typing", {"text": "grüße"})
    bob.hear_frame("client-typing", lobby)
    bob.unsubscribe(lobby)
    ada.hear_frame("pusher_internal:member_removed", lobby)
    ada.subscribe(news)
    ada.unsubscribe(news)
    socket_id = ada.socket_id
    ada.disconnect()
    for receiver in receivers:
        receiver.hear("channel_vacated", lobby)
        assert receiver.events(lobby) == [
            {"name": "channel_occupied", "channel": lobby},
            {"name": "member_added", "channel": lobby, "user_id": "ada"},
            {"name": "member_added", "channel": lobby, "user_id": "bob"},
            {
                "name": "client_event",
                "channel": lobby,
                "event": "client-typing",
                "data": '{"text":"grüße"}',
                "socket_id": socket_id,
                "user_id": "ada",
            },
            {"name": "member_removed", "channel": lobby, "user_id": "bob"},
            {"name": "member_removed", "channel": lobby, "user_id": "ada"},
            {"name": "channel_vacated", "channel": lobby},
        ]
        told = receiver.events(news)
        assert told[0] == {"name": "channel_occupied", "channel": news}
        assert told[-1] == {"name": "channel_vacated", "channel": news}
        assert {"name": "cache_miss", "channel": news} in told
        assert [one["subscription_count"] for one in told if "subscription_count" in one] == [1, 0]
        assert len(told) == 5
        assert receiver.all_are_valid()


@pytest.mark.parametrize("relay", [SINGLE], indirect=True)
def test_without_batching_every_request_has_one_event_and_is_dated_when_it_was_made(
    receivers: Sequence[Receiver], pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    before = time.time() * 1000 - 1
    pusher_js("ada").subscribe(lobby)
    for receiver in receivers:
        receiver.hear("member_added", lobby)
        requests = receiver.requests(lobby)
        assert [len(request["events"]) for request in requests] == [1, 1]
        assert all(before <= request["time"] <= time.time() * 1000 for request in requests)


@pytest.mark.parametrize("relay", [BATCHED], indirect=True)
def test_with_batching_what_happens_together_comes_together(
    receivers: Sequence[Receiver], pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    pusher_js("ada").subscribe(lobby)
    for receiver in receivers:
        receiver.hear("member_added", lobby)
        assert [len(request["events"]) for request in receiver.requests(lobby)] == [2]
        assert {request["app"] for request in receiver.requests(lobby)} == {BATCHED.id}


@pytest.mark.parametrize("relay", [SINGLE], indirect=True)
def test_who_reloads_the_page_was_never_away(
    receivers: Sequence[Receiver], pusher_js: NewPusherJs, unique: Unique
) -> None:
    lobby, later = unique("presence-lobby"), unique("later")
    ada = pusher_js("ada")
    ada.subscribe(lobby)
    ada.vanish()
    again = pusher_js("ada")
    again.subscribe(lobby)
    again.subscribe(later)
    again.unsubscribe(later)  # is told after what ada's reload would have led to
    for receiver in receivers:
        receiver.hear("channel_vacated", later)
        assert [event["name"] for event in receiver.events(lobby)] == [
            "channel_occupied",
            "member_added",
        ]


def test_a_server_that_stops_says_that_everybody_has_gone(
    receivers: Sequence[Receiver], visit: Visit, tmp_path: Path, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    with running(tmp_path, configuration(receivers)) as server:
        visit(server.relay(SINGLE), lobby)
    for receiver in receivers:
        assert [event["name"] for event in receiver.events(lobby)] == [
            "channel_occupied",
            "member_added",
            "member_removed",
            "channel_vacated",
        ]
        assert receiver.all_are_valid()
    assert SINGLE.secret not in server.text()


def test_loopback_is_told_nothing_unless_the_configuration_allows_it(
    receivers: Sequence[Receiver], visit: Visit, tmp_path: Path, unique: Unique
) -> None:
    lobby = unique("presence-lobby")
    with running(tmp_path, configuration(receivers, may_reach_private=False)) as server:
        visit(server.relay(SINGLE), lobby)
    assert [receiver.events(lobby) for receiver in receivers] == [[], []]
    said = [line for line in server.text().splitlines() if "webhook_private_addresses" in line]
    assert len(said) == len(receivers), server.text()
    assert all("leads to 127.0.0.1, a loopback address" in line for line in said)
