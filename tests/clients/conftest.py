from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from signal import SIGTERM
from typing import Any

import pytest

from tests.clients.backends import Backend, NpmPusher, PyPiPusher
from tests.clients.matrix import Matrix
from tests.clients.packages import HERE, install, tool
from tests.clients.program import Program
from tests.clients.pysher_client import NewPysher, PysherClient
from tests.clients.relay import OWN_APP, App, OwnServer, Relay, elsewhere, toml
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

Settings = Mapping[str, object]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", metavar="FILE", help="write the matrix of tests/clients there")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "feature(which, *clients): row and, if not by the arguments, columns in the matrix",
    )
    config.addinivalue_line(
        "markers", "app(**settings): has an app of its own, with these settings"
    )
    # The option is unknown where pytest was started for more than this directory.
    config.pluginmanager.register(Matrix(config.getoption("matrix", None)))


def pytest_report_header() -> str:
    there = elsewhere()
    return f"server under test: {there or 'started by the tests'}"


@pytest.fixture(scope="session")
def node() -> str:
    found = tool("node")
    install()
    return found


@pytest.fixture(scope="session")
def own_apps(request: pytest.FixtureRequest) -> Mapping[str, tuple[App, Settings]]:
    """By the id of a test with the mark ``app``: its app, and the settings of that."""
    marks = {item.nodeid: item.get_closest_marker("app") for item in request.session.items}
    return {
        test: (App(str(number), f"key-{number}", f"secret-{number}"), mark.kwargs)
        for number, (test, mark) in enumerate(marks.items(), 2001)
        if mark
    }


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, own_apps: Mapping[str, tuple[App, Settings]]
) -> Iterator[OwnServer | None]:
    """The process that runs for these tests; None where the environment points to another."""
    if elsewhere():
        yield None
        return
    server = OwnServer(
        tmp_path_factory.mktemp("server"), toml({OWN_APP: {}, **dict(own_apps.values())})
    )
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
def usual_relay(server: OwnServer | None) -> Relay:
    """The server under test, with the app that most tests share."""
    there = elsewhere()
    if there is not None:
        return there
    assert server is not None
    return server.relay()


@pytest.fixture
def relay(
    request: pytest.FixtureRequest,
    usual_relay: Relay,
    own_apps: Mapping[str, tuple[App, Settings]],
) -> Relay:
    """The server under test, with the app that the test asks for by its mark ``app``."""
    if request.node.nodeid not in own_apps:
        return usual_relay
    app, settings = own_apps[request.node.nodeid]
    if elsewhere():
        pytest.skip(f"the server would need a second app, with the settings {settings or 'usual'}")
    return Relay(usual_relay.host, usual_relay.port, app)


@pytest.fixture(scope="session")
def npm_site(node: str) -> Iterator[Program]:
    """The web application of npm's library, which also serves the page of the tabs."""
    with closing(Program([node, "js/backend.mjs"], cwd=HERE)) as program:
        yield program


@pytest.fixture
def npm_pusher(npm_site: Program, relay: Relay) -> NpmPusher:
    return NpmPusher(npm_site, relay)


@pytest.fixture
def publisher(npm_pusher: NpmPusher) -> NpmPusher:
    """A backend for tests that are about something else: none that the matrix counts."""
    return npm_pusher


@pytest.fixture
def pypi_pusher(relay: Relay) -> Iterator[PyPiPusher]:
    with closing(PyPiPusher(relay)) as backend:
        yield backend


@pytest.fixture(params=["npm_pusher", "pypi_pusher"])
def backend(request: pytest.FixtureRequest) -> Any:
    """Each backend library in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def chromium(node: str, npm_site: Program) -> Iterator[Program]:
    """The browser; its tabs show the backend's page."""
    page = f"http://127.0.0.1:{npm_site.ask('port')}"
    arguments = [node, "js/chromium.mjs", tool("chromium"), page]
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
def pusher_js(home: Callable[[], Home], relay: Relay, publisher: NpmPusher) -> NewPusherJs:
    """Makes clients of pusher-js: ``pusher_js("ada")`` connects as the user ada.

    Named arguments are options of pusher-js, but for ``key``, the app's, ``build`` of pusher-js,
    and the users whom ada is ``watching``.
    """

    def connect(
        user: str,
        backend: Backend = publisher,
        *,
        key: str = relay.app.key,
        build: str = "pusher-js",
        watching: Sequence[str] = (),
        **options: object,
    ) -> PusherJs:
        client = PusherJs(home(), user)
        own = _end_points(backend, "/pusher", user, watching)
        client.connect(build, key, {**address(relay), **own, **options})
        return client

    return connect


@pytest.fixture
def visitor(pusher_js: NewPusherJs) -> NewPusherJs:
    """Makes clients for tests that are about something else: none that the matrix counts."""
    return pusher_js


@pytest.fixture(params=["laravel-echo", "laravel-echo-1"])
def echo(
    request: pytest.FixtureRequest,
    home: Callable[[], Home],
    relay: Relay,
    publisher: NpmPusher,
) -> NewEcho:
    """Makes clients of laravel-echo, as a Laravel page does: ``echo("ada")`` is the user ada's.

    Named arguments are options of Echo, but for ``build`` of pusher-js.
    """

    def connect(
        user: str, backend: Backend = publisher, *, build: str = "pusher-js", **options: object
    ) -> LaravelEcho:
        client = LaravelEcho(home(), user)
        own = {"broadcaster": "pusher", "key": relay.app.key}
        own |= _end_points(backend, "/broadcasting", user)
        client.connect(build, request.param, {**address(relay), **own, **options})
        return client

    return connect


def _end_points(
    backend: Backend, below: str, user: str, watching: Sequence[str] = ()
) -> dict[str, Any]:
    name = user.title()
    signing_in = backend.endpoint(f"{below}/user-auth", user, name=name, watching=watching)
    return {
        "authEndpoint": backend.endpoint(f"{below}/auth", user, name=name),
        "userAuthentication": {"endpoint": signing_in, "transport": "ajax"},
    }


@pytest.fixture
def pysher(relay: Relay) -> Iterator[NewPysher]:
    """Makes clients of pysher: ``pysher("ada")`` connects as the user ada."""
    with ExitStack() as stack:

        def connect(user: str, relay: Relay = relay) -> PysherClient:
            client = PysherClient(relay, user)
            stack.callback(client.disconnect)
            client.expect("connected", source="state")
            return client

        yield connect


@pytest.fixture
def unique() -> Unique:
    """Gives a channel of this test alone: "private-desk" becomes "private-desk-4f1c…"."""
    own = secrets.token_hex(4)
    return lambda name: f"{name}-{own}"
