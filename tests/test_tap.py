"""wsrelay.tap: what can be said on the command line."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

from tests.loopback import reactor
from wsrelay.service import RelayService
from wsrelay.tap import Options, _give_up, makeService
from wsrelay.workers.parent import WorkersService


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


def refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as raised:
        parsed(*arguments)
    told = raised.value.code
    assert isinstance(told, str), "a text is printed, and the exit status is 1"
    assert "\n" not in told
    assert told.startswith("wsrelay: ")
    return told.removeprefix("wsrelay: ")


def test_twistd_and_twist_find_it_by_its_name() -> None:
    [plugin] = [each for each in getPlugins(IServiceMaker) if each.tapname == "wsrelay"]
    assert plugin.options is Options
    assert plugin.makeService is makeService


def test_every_option_reaches_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text("handshake_timeout = 2")
    settings = parsed(
        *("--port", "6002", "--host", "127.0.0.1", "--config", str(file)),
        *("--app", "1:a:s", "--app", "2:b:s:t", "--client-events", "all"),
        *("--client-event-rate", "0", "--log-format", "json"),
        *("--listen", "tcp:1", "--listen", "unix:/run/a.sock"),
        *("--echo-path", "/echo", "--deflate"),
        *("--metrics-port", "9700"),
    ).settings
    assert (settings.port, settings.host, settings.handshake_timeout) == (6002, "127.0.0.1", 2)
    assert settings.log_format == "json"
    assert (settings.echo_path, settings.deflate) == ("/echo", True)
    assert settings.metrics_port == 9700
    assert settings.listen == ("tcp:1", "unix:/run/a.sock")
    one, other = settings.apps
    assert (one.id, one.key, one.secret.reveal()) == ("1", "a", b"s")
    assert (other.id, other.key, other.secret.reveal()) == ("2", "b", b"s:t")
    assert {app.client_events for app in settings.apps} == {"all"}
    assert {app.client_event_rate for app in settings.apps} == {0}


def test_a_laravel_env_is_an_option(tmp_path: Path) -> None:
    laravel = tmp_path / ".env"
    laravel.write_text("PUSHER_PORT=6003\n")
    assert parsed("--laravel-env", str(laravel)).settings.port == 6003


def test_what_is_not_said_is_left_to_the_weaker_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"WSRELAY_PORT": "6004", "WSRELAY_LOG_FORMAT": "json"})
    settings = parsed("--host", "::1").settings
    assert (settings.port, settings.host, settings.log_format) == (6004, "::1", "json")
    assert parsed("-p", "6005").settings.port == 6005


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--prot", "6001"), "option --prot not recognized; see: twistd wsrelay --help"),
        (("--port",), "option --port requires argument; see: twistd wsrelay --help"),
        (("6001",), "Wrong number of arguments.; see: twistd wsrelay --help"),
        (("--port", "many"), "options: --port: expected int, got str"),
        (("--port", "70000"), "options: --port: expected int <= 65535"),
        (("--app", "1:hush"), "--app: expected ID:KEY:SECRET"),
        (("--app", "a/b:key:hush"), "options: apps[0].id: expected str matching regex"),
        (("--client-events", "some"), "options: --client-events: invalid enum value 'some'"),
        (("--config", "/nowhere.toml"), "/nowhere.toml: can't be read: No such file or directory"),
        (("--host", "0.0.0.0"), "host: 0.0.0.0 needs an app of your own"),
        (("--listen", "tcp:6001"), "listen: tcp:6001 needs an app of your own"),
    ],
)
def test_a_mistake_ends_the_start_with_one_line(arguments: tuple[str, ...], told: str) -> None:
    message = refused(*arguments)
    assert message.startswith(told)
    assert "hush" not in message


def test_the_help_tells_of_every_option_and_its_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stdout", written)
    with pytest.raises(SystemExit) as raised:
        parsed("--help")
    assert raised.value.code == 0
    told = " ".join(written.getvalue().split())
    for text in (
        "--app= An app as ID:KEY:SECRET. May be repeated.",
        "--listen= A Twisted endpoint to listen on",
        "-p, --port= TCP port for sockets and the HTTP API [6001]",
        "-c, --config= Configuration file (TOML)",
        "--laravel-env= A Laravel app's .env",
        "--client-events= Who may whisper: members, all or off [members]",
        "--client-event-rate= Client events a second and connection, 0: any [10]",
        "--log-format= text or json [text]",
        "local-app-id / local-key / local- secret",
    ):
        assert text in told, text


def test_the_service_is_made_for_the_reactor_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    service: Any = makeService(parsed("--port", "0"))
    assert isinstance(service, RelayService)
    assert service._reactor is reactor


def test_with_workers_it_is_their_parent_that_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    options = parsed("--port", "0", "--workers", "3", "--redis", "redis://redis.example")
    service: Any = makeService(options)
    assert isinstance(service, WorkersService)
    assert len(list(service.crew)) == 3


def test_what_a_worker_would_refuse_is_refused_before_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    options = parsed("--port", "0", "--workers", "3", "--redis", "http://redis.example")
    with pytest.raises(SystemExit, match="wsrelay: redis: "):
        makeService(options)


def test_a_parent_that_gives_up_ends_with_a_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registered: list[Any] = []
    stopped: list[bool] = []
    monkeypatch.setattr("atexit.register", lambda *call: registered.append(call))

    class Reactor:
        def stop(self) -> None:
            stopped.append(True)

    _give_up(Reactor())
    assert (registered, stopped) == ([(os._exit, 1)], [True])
