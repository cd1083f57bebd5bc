"""What only a browser can show: the page itself, tabs that are closed, and CORS."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.clients.backends import NpmPusher
from tests.clients.features import Feature
from tests.clients.relay import Relay
from tests.clients.sdks import LaravelEcho, NewEcho, NewPusherJs, Tab, Unique


@pytest.fixture
def home(tab: Callable[[], Tab]) -> Callable[[], Tab]:
    return tab


@pytest.mark.feature(Feature.PUBLIC)
def test_a_published_event_shows_on_the_page(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    orders, ada = unique("orders"), pusher_js("ada")
    ada.subscribe(orders, "shipped")
    publisher.trigger(orders, "shipped", {"to": "Zoë"})
    ada.home.ask("shown", text=f'{orders} shipped {{"to":"Zoë"}}')


@pytest.mark.feature(Feature.PRESENCE)
def test_two_tabs_of_an_office_see_each_other_and_one_that_is_closed_leaves(
    echo: NewEcho, publisher: NpmPusher, unique: Unique
) -> None:
    def visit(user: str) -> LaravelEcho:
        endpoint = publisher.endpoint("/broadcasting/auth", user, name=user.title())
        return echo(user, authEndpoint=endpoint.removeprefix(publisher.origin))

    office, ada, bob = unique("office"), visit("ada"), visit("bob")
    for person in (ada, bob):
        person.open("join", office, whispers=["moved"])
    assert ada.hear("joining", office).data == {"name": "Bob"}
    assert len(bob.hear("here", office).data) == 2
    bob.whisper("join", office, "moved", {"x": 3, "y": 4})
    ada.home.ask("shown", text=f'{office} whisper moved {{"x":3,"y":4}}')
    bob.home.close()
    assert ada.hear("leaving", office).data == {"name": "Bob"}


def test_a_refused_connection_is_told_why_and_closed_with_the_same_code(
    tab: Callable[[], Tab], relay: Relay
) -> None:
    told = tab().ask("websocket", url=f"ws://{relay.host}:{relay.port}/app/no-such-key?protocol=7")
    (message,) = map(json.loads, told["messages"])
    assert message["event"] == "pusher:error"
    assert message["data"]["code"] == told["code"] == 4001
    assert message["data"]["message"]
    assert told["wasClean"]


@pytest.mark.feature(Feature.CROSS_ORIGIN)
def test_a_page_of_another_origin_may_call_the_http_api(
    pusher_js: NewPusherJs, publisher: NpmPusher, unique: Unique
) -> None:
    orders, ada = unique("orders"), pusher_js("ada")
    ada.subscribe(orders, "shipped")
    body = json.dumps({"name": "shipped", "channels": [orders], "data": "{}"})
    # For this content type the browser asks first, by a preflight.
    request = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": body}
    signed = publisher.signed_url("POST", "/events", body)
    answer = ada.home.ask("fetch", url=signed, request=request)
    assert (answer["status"], json.loads(answer["body"])) == (200, {})
    ada.hear("shipped", orders)
    unsigned = signed.partition("?")[0]
    assert ada.home.ask("fetch", url=unsigned, request=request)["status"] == 401
