"""wsrelay.reloading: what a reload changes at once, what it leaves, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.loopback import request
from tests.memory import Server, handshake, running
from tests.signing import APP, event, signed_target
from tests.tls.authority import Authority
from tests.visitor import Visitor
from wsrelay.config.resolve import ConfigurationError
from wsrelay.config.settings import DEVELOPMENT_APP, Certificate, Settings, TlsListener
from wsrelay.core.apps import App, Secret, Webhook
from wsrelay.reloading import LIVE, SLICE, TLS, longest_message

START = Settings(apps=(APP,))
OTHER = App(id="2002", key="other-key", secret=Secret("other-secret"))
ROOM = "private-room"


class Reloaded:
    """A server whose configuration the test writes."""

    def __init__(self, server: Server, configured: list[Any], log: list[LogEvent]) -> None:
        self.server = server
        self._configured = configured
        self._log = log

    def __call__(self, configured: Settings | Exception) -> list[str]:
        """Reload with this; what the log says of it, each with its level."""
        self._configured.append(configured)
        self._log.clear()
        self.server.service.reload()
        self.server.turn()
        return [
            f"{each['log_level'].name} {text.removeprefix('Reload: ')}"
            for each in self._log
            if (text := formatEvent(each)).startswith("Reload: ")
        ]

    def with_app(self, **settings: Any) -> list[str]:
        return self(structs.replace(START, apps=(structs.replace(APP, **settings),)))

    def knock(self, key: str = APP.key, headers: bytes = b"") -> bytes:
        """What a new client is told."""
        line = self.server.line()
        line.send(handshake(key, headers))
        self.server.turn()
        return line.read()


@contextmanager
def serving(settings: Settings = START) -> Iterator[Reloaded]:
    configured: list[Any] = []

    def read() -> Settings:
        newest = configured[-1]
        if isinstance(newest, Exception):
            raise newest
        assert isinstance(newest, Settings)
        return newest

    log: list[LogEvent] = []
    with running(settings, read) as server:
        globalLogPublisher.addObserver(log.append)
        yield Reloaded(server, configured, log)
        globalLogPublisher.removeObserver(log.append)
    assert not [each for each in log if "log_failure" in each]


def whispers(server: Server, sender: Visitor, listener: Visitor, data: Any = "hello") -> bool:
    sender.whisper(ROOM, data)
    server.turn()
    return [each["event"] for each in listener.take()] == ["client-told"]


# -- apps --------------------------------------------------------------------------------------


def test_nothing_has_changed() -> None:
    with serving() as reload:
        assert reload(START) == ["info done"]


def test_a_new_app_is_served_and_its_name_is_told() -> None:
    with serving() as reload:
        assert b'\\"code\\":4001' in reload.knock(OTHER.key) or b"4001" in reload.knock(OTHER.key)
        said = reload(structs.replace(START, apps=(APP, OTHER)))
        assert said == ["info new app: 2002", "info done"]
        assert b"pusher:connection_established" in reload.knock(OTHER.key)


def test_the_connections_of_an_app_that_is_gone_are_closed_with_4001_and_no_others() -> None:
    with serving(structs.replace(START, apps=(APP, OTHER))) as reload:
        stays = reload.server.guest(ROOM)
        goes = reload.server.visitor(f"/app/{OTHER.key}?protocol=7")
        said = reload(START)
        assert said == ["info gone app: 2002 (1 connections closed)", "info done"]
        assert goes.farewell == (4001, "this app is gone")
        assert stays.farewell is None
        assert b"4001" in reload.knock(OTHER.key)


def test_more_of_them_than_fit_into_a_slice_are_closed_all_the_same() -> None:
    with serving(structs.replace(START, apps=(APP, OTHER))) as reload:
        lines = [reload.server.line() for _ in range(SLICE + 2)]
        for line in lines:
            line.send(handshake(OTHER.key))
        reload.server.turn()
        reload(START)
        assert all(b"this app is gone" in line.read() for line in lines)


def test_the_connections_of_an_app_that_is_disabled_are_closed_with_4003() -> None:
    with serving() as reload:
        goes = reload.server.guest(ROOM)
        assert reload.with_app(enabled=False) == [
            "info disabled app: 1001 (1 connections closed)",
            "info done",
        ]
        assert goes.farewell is not None
        assert goes.farewell[0] == 4003
        assert b"4003" in reload.knock()
        assert reload(START) == ["info changed app: 1001", "info done"]
        assert b"pusher:connection_established" in reload.knock()


def test_a_changed_key_and_secret_leave_whoever_is_there_and_hold_for_what_comes() -> None:
    with serving() as reload:
        server = reload.server
        ada, bob = server.guest(ROOM), server.guest(ROOM)
        reload.with_app(key="new-key", secret=Secret("new-secret"))
        assert whispers(server, ada, bob)
        assert b"4001" in reload.knock(APP.key)
        assert b"pusher:connection_established" in reload.knock("new-key")
        ada.subscribe("private-another")  # signed with the former secret
        server.turn()
        [refused] = ada.take()
        assert refused["event"] == "pusher:subscription_error"
        assert "another app's key" in str(refused)
        line = server.line()
        line.send(request("POST", signed_target("POST", "/apps/1001/events", b""), b"{}"))
        server.turn()
        assert line.read().startswith(b"HTTP/1.1 401 ")


def test_new_rights_hold_from_the_next_message_on() -> None:
    with serving() as reload:
        server = reload.server
        ada, bob = server.guest(ROOM), server.guest(ROOM)
        reload.with_app(client_events="off")
        assert not whispers(server, ada, bob)
        assert "client_events" in str(ada.take())
        reload(START)
        assert whispers(server, ada, bob)


def test_a_new_rate_of_client_events_holds_from_the_next_message_on() -> None:
    with serving() as reload:
        server = reload.server
        ada, bob = server.guest(ROOM), server.guest(ROOM)
        assert whispers(server, ada, bob)
        reload.with_app(client_event_rate=1)
        assert whispers(server, ada, bob)
        assert not whispers(server, ada, bob)
        assert "more than 1 client events a second" in str(ada.take())


def test_a_larger_event_may_be_sent_at_once_over_an_open_connection() -> None:
    with serving() as reload:
        server = reload.server
        ada, bob = server.guest(ROOM), server.guest(ROOM)
        reload.with_app(max_event_bytes=100_000)
        assert whispers(server, ada, bob, "x" * 90_000)
        reload(START)
        assert not whispers(server, ada, bob, "x" * 90_000)
        assert ada.farewell is not None, "the message is longer than any app's may be"


def test_a_limit_of_connections_holds_for_new_ones_and_closes_none() -> None:
    with serving() as reload:
        ada, bob = reload.server.guest(ROOM), reload.server.guest(ROOM)
        reload.with_app(max_connections=1)
        assert (ada.farewell, bob.farewell) == (None, None)
        assert b"4004" in reload.knock()


def test_new_origins_hold_for_new_connections() -> None:
    with serving() as reload:
        reload.with_app(allowed_origins=("office.example",))
        assert b"4009" in reload.knock(headers=b"Origin: https://elsewhere.example\r\n")
        assert b"established" in reload.knock(headers=b"Origin: https://office.example\r\n")


def test_a_duty_that_was_lifted_closes_nobody() -> None:
    hurried = structs.replace(START, apps=(structs.replace(APP, authorization_timeout=5),))
    with serving(hurried) as reload:
        ada = reload.server.guest()
        reload(START)
        reload.server.advance(6)
        assert ada.farewell is None


# -- the server's own settings -----------------------------------------------------------------


def test_those_who_are_there_count_for_a_new_limit_of_their_address() -> None:
    with serving() as reload:
        ada, bob = reload.server.guest(), reload.server.guest()
        said = reload(structs.replace(START, max_connections_per_ip=2))
        assert said == ["info done; max_connections_per_ip"]
        assert b"4100" in reload.knock()
        assert (ada.farewell, bob.farewell) == (None, None)
        ada.transport.loseConnection()
        reload.server.turn()
        assert b"established" in reload.knock()


def test_limits_of_requests_and_what_is_remembered_change_at_once() -> None:
    with serving() as reload:
        server = reload.server
        target = signed_target("POST", "/apps/1001/events", event("news", "x" * 2000))
        small = structs.replace(
            START, max_body_bytes=1024, cors_origins=("https://a.example",), max_cache_bytes=0
        )
        assert reload(small) == ["info done; cors_origins; max_body_bytes; max_cache_bytes"]
        line = server.line()
        line.send(request("POST", target, event("news", "x" * 2000)))
        server.turn()
        assert line.read().startswith(b"HTTP/1.1 413 ")
        for origin, answered in (("https://a.example", True), ("https://b.example", False)):
            line = server.line()
            line.send(request("GET", "/up", Origin=origin))
            server.turn()
            assert (b"access-control-allow-origin" in line.read().lower()) is answered


def test_a_new_connection_gets_the_new_time_for_its_handshake() -> None:
    with serving() as reload:
        reload(structs.replace(START, handshake_timeout=2))
        line = reload.server.line()
        reload.server.advance(2.5)
        assert not line.is_open


def test_the_next_request_gets_the_new_time_to_come() -> None:
    with serving() as reload:
        assert reload(structs.replace(START, request_timeout=2)) == ["info done; request_timeout"]
        line = reload.server.line()
        line.send(request("POST", "/up", Content_Length="2") + b"x")
        reload.server.advance(2.5)
        assert line.read().startswith(b"HTTP/1.1 408 ")


def test_webhooks_may_be_permitted_to_reach_private_addresses() -> None:
    with serving() as reload:
        sender = reload.server.service.messenger._sender
        reload(structs.replace(START, webhook_private_addresses=True))
        assert sender._endpoints.may_reach_private is True  # type: ignore[attr-defined]


def test_what_needs_a_restart_is_named_each_time_and_the_rest_counts() -> None:
    with serving() as reload:
        asked = structs.replace(
            START, port=7001, echo_path="/echo", deflate=True, max_connections_per_ip=9
        )
        warning = "warn deflate, echo_path, port changed and will count after a restart"
        assert reload(asked) == ["info done; max_connections_per_ip", warning]
        assert reload(asked) == ["info done", warning]
        assert reload(START) == ["info done; max_connections_per_ip"]


def test_every_setting_that_counts_at_once_exists() -> None:
    assert set(Settings.__struct_fields__) > LIVE | TLS


def test_the_longest_message_is_that_of_the_app_with_the_largest_events() -> None:
    large = structs.replace(OTHER, max_event_bytes=50_000)
    assert longest_message(structs.replace(START, apps=(APP, large))) == 50_000 + 16 * 1024


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (ConfigurationError("relay.toml: port: expected int"), "relay.toml: port: expected int"),
        (
            structs.replace(
                START,
                apps=(OTHER, structs.replace(APP, webhooks=(Webhook(url="http://a:0/"),))),
                cors_origins=(),
            ),
            "webhook 1 of app 1001: url: expected http:// or https://, a host and perhaps a port",
        ),
        (structs.replace(START, apps=(OTHER, structs.replace(APP, id="3"), APP)), "two apps have"),
    ],
)
def test_a_fault_changes_nothing_and_is_told_in_one_line(
    fault: Settings | Exception, told: str
) -> None:
    with serving() as reload:
        server = reload.server
        ada, bob = server.guest(ROOM), server.guest(ROOM)
        [line] = reload(fault)
        assert line.startswith(f"error {told}")
        assert line.endswith("; nothing was changed")
        assert whispers(server, ada, bob)
        assert b"4001" in reload.knock(OTHER.key)
        assert reload(START) == ["info done"]


def test_the_development_app_is_never_served_by_a_relay_that_strangers_can_reach() -> None:
    with serving() as reload:
        [line] = reload(structs.replace(START, apps=(DEVELOPMENT_APP,)))
        assert line.startswith("error apps: none is left, and the development app")
        assert b"4001" in reload.knock(DEVELOPMENT_APP.key)


def test_a_relay_that_was_started_without_apps_stays_on_loopback_and_says_so() -> None:
    development = Settings(apps=(DEVELOPMENT_APP,))
    with serving(development) as reload:
        for _ in range(2):
            assert reload(START)[-1] == "warn host changed and will count after a restart"
        assert b"established" in reload.knock()
        assert "error" not in str(reload(development))
        assert b"established" in reload.knock(DEVELOPMENT_APP.key)


# -- certificates ------------------------------------------------------------------------------


@pytest.fixture
def listeners(tmp_path: Path) -> Callable[..., tuple[TlsListener, ...]]:
    authority = Authority()

    def build(*names: str, port: int = 6443, **settings: Any) -> tuple[TlsListener, ...]:
        files = [authority.issue(name).store(tmp_path, name) for name in names]
        certificates = tuple(Certificate(cert=each.cert, key=each.key) for each in files)
        return (TlsListener(port=port, certificates=certificates, **settings),)

    return build


def test_a_listener_may_get_more_certificates(
    listeners: Callable[..., tuple[TlsListener, ...]],
) -> None:
    with serving(structs.replace(START, tls=listeners("a.example"))) as reload:
        certificates = reload.server.service.certificates
        both = structs.replace(START, tls=listeners("a.example", "b.example"))
        assert reload(both) == ["info done"]
        assert len(certificates.in_use()) == 2
        assert set(certificates.doors[0]._by_name) == {"a.example", "b.example"}


def test_a_new_certificate_that_cannot_be_used_changes_nothing(
    listeners: Callable[..., tuple[TlsListener, ...]], tmp_path: Path
) -> None:
    started = structs.replace(START, tls=listeners("a.example"))
    with serving(started) as reload:
        asked = listeners("a.example", "b.example")
        Path(asked[0].certificates[1].key).write_text("no key")
        [line] = reload(structs.replace(START, tls=asked, apps=(APP, OTHER)))
        assert line.startswith(f"error tls: {asked[0].certificates[1].key}: no private key in it")
        assert b"4001" in reload.knock(OTHER.key)
        assert set(reload.server.service.certificates.doors[0]._by_name) == {"a.example"}


def test_another_place_for_tls_needs_a_restart(
    listeners: Callable[..., tuple[TlsListener, ...]],
) -> None:
    with serving(structs.replace(START, tls=listeners("a.example"))) as reload:
        for changed in ({"port": 7443}, {"proxy_protocol": True}):
            said = reload(structs.replace(START, tls=listeners("a.example", **changed)))
            assert said == ["info done", "warn tls changed and will count after a restart"]
