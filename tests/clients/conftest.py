from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from signal import SIGTERM
from typing import Any

import pytest

from tests.clients.backends import Backend, NpmPusher, PyPiPusher
from tests.clients.packages import HERE, install, tool
from tests.clients.program import Program
from tests.clients.relay import OwnServer, Relay, elsewhere
from tests.clients.sdks import (
    Home,
    LaravelEcho,
    NewEcho,
    NewPusherJs,
    PusherJs,
    Tab,
    Unique,
    address,
)


def pytest_report_header() -> str:
    there = elsewhere()
    return f"server under test: {there or 'started by the tests'}"


@pytest.fixture(scope="session")
def node() -> str:
    found = tool("node")
    install()
    return found


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer | None]:
    """The process that runs for these tests; None where the environment points to another."""
    if elsewhere():
        yield None
        return
    server = OwnServer(tmp_path_factory.mktemp("server"))
    try:
        yield server
    finally:
        status = server.stop()
    _fail_for_a_traceback(server)
    assert status == -SIGTERM, server.text()  # as twistd ends after an orderly shutdown


@pytest.fixture(autouse=True)
def _the_server_logs_no_traceback(server: OwnServer | None) -> Iterator[None]:
    yield
    if server:
        _fail_for_a_traceback(server)


def _fail_for_a_traceback(server: OwnServer) -> None:
    logged = server.logged_since()
    if "Traceback" in logged:
        pytest.fail("the server logged a traceback:\n" + logged, pytrace=False)


@pytest.fixture(scope="session")
def relay(server: OwnServer | None) -> Relay:
    there = elsewhere()
    if there is not None:
        return there
    assert server is not None
    return server.relay()


@pytest.fixture(scope="session")
def npm_pusher(node: str, relay: Relay) -> Iterator[NpmPusher]:
    with closing(Program([node, "js/backend.mjs"], cwd=HERE)) as program:
        yield NpmPusher(program, relay)


@pytest.fixture(scope="session")
def pypi_pusher(relay: Relay) -> Iterator[PyPiPusher]:
    with closing(PyPiPusher(relay)) as backend:
        yield backend


@pytest.fixture(params=["npm_pusher", "pypi_pusher"])
def backend(request: pytest.FixtureRequest) -> Any:
    """Each backend library in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def chromium(node: str, npm_pusher: NpmPusher) -> Iterator[Program]:
    """The browser; its tabs show the backend's page."""
    arguments = [node, "js/chromium.mjs", tool("chromium"), npm_pusher.origin]
    with closing(Program(arguments, cwd=HERE)) as browser:
        yield browser


@pytest.fixture
def node_process(node: str) -> Iterator[Callable[[], Program]]:
    """Makes Node processes, each the home of one client."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Program([node, "js/node.mjs"], cwd=HERE)))


@pytest.fixture
def tab(chromium: Program) -> Iterator[Callable[[], Tab]]:
    """Makes tabs of the browser, each the home of one client."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Tab(chromium)))


@pytest.fixture(params=["node_process", "tab"], ids=["node", "chromium"])
def home(request: pytest.FixtureRequest) -> Any:
    """Makes homes for clients: all under Node, then all in Chromium."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def pusher_js(home: Callable[[], Home], relay: Relay, npm_pusher: NpmPusher) -> NewPusherJs:
    """Makes clients of pusher-js: ``pusher_js("ada")`` connects as the user ada.

    Named arguments are options of pusher-js, but for ``key``, the app's.
    """

    def connect(
        user: str, backend: Backend = npm_pusher, *, key: str = relay.app.key, **options: object
    ) -> PusherJs:
        client = PusherJs(home(), user)
        endpoint = backend.auth_endpoint(user, name=user.title())
        client.connect(key, {**address(relay), "authEndpoint": endpoint, **options})
        return client

    return connect


@pytest.fixture(params=["laravel-echo", "laravel-echo-1"])
def echo(
    request: pytest.FixtureRequest,
    home: Callable[[], Home],
    relay: Relay,
    npm_pusher: NpmPusher,
) -> NewEcho:
    """Makes clients of laravel-echo, as a Laravel page does: ``echo("ada")`` is the user ada's.

    Named arguments are options of Echo.
    """

    def connect(user: str, backend: Backend = npm_pusher, **options: object) -> LaravelEcho:
        client = LaravelEcho(home(), user)
        endpoint = backend.auth_endpoint(user, name=user.title(), path="/broadcasting/auth")
        own = {"broadcaster": "pusher", "key": relay.app.key, "authEndpoint": endpoint}
        client.connect(request.param, {**address(relay), **own, **options})
        return client

    return connect


@pytest.fixture
def unique() -> Unique:
    """Gives a channel of this test alone: "private-desk" becomes "private-desk-4f1c…"."""
    own = secrets.token_hex(4)
    return lambda name: f"{name}-{own}"
