"""wsrelay.service: what is started and stopped, in which order, and what is said about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.application.service import Application, IService
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.components import Componentized

from tests.loopback import request
from tests.memory import Server, handshake, running
from tests.signing import APP, signin_auth
from tests.websocket.frames import read_frames
from wsrelay.config.resolve import Given, resolve
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App, Secret
from wsrelay.service import RelayService


@pytest.fixture
def log() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def lines(log: list[LogEvent]) -> list[str]:
    """What the relay itself has said, but for the line about a machine with few descriptors."""
    said = [formatEvent(event) or "" for event in log if event["log_namespace"] == "wsrelay"]
    return [line for line in said if not line.startswith("Connections are limited to")]


def places(relay: Server) -> list[tuple[str, int]]:
    """Where it listens."""
    return [(interface, port) for port, _, _, interface in relay.reactor.tcpServers]


# -- starting --------------------------------------------------------------------------------


def test_without_configuration_it_listens_on_port_6001_of_loopback_only(
    log: list[LogEvent],
) -> None:
    with running(resolve(Given(), {})) as relay:
        assert places(relay) == [("127.0.0.1", 6001), ("::1", 6001)]
        listening, advice = lines(log)
        # The reactor in memory gives its IPv4 ports no address of their own.
        assert listening == "Listening on 0.0.0.0:6001 and [::1]:6001 for app local-app-id"
        assert "on loopback only" in advice
        for line in (
            "BROADCAST_CONNECTION=pusher",
            "PUSHER_APP_ID=local-app-id",
            "PUSHER_APP_KEY=local-key",
            "PUSHER_APP_SECRET=local-secret",
            "PUSHER_HOST=127.0.0.1",
            "PUSHER_PORT=6001",
            "PUSHER_SCHEME=http",
        ):
            assert line in advice.split()


def test_with_an_app_it_listens_on_all_interfaces_and_gives_no_advice(
    log: list[LogEvent],
) -> None:
    with running() as relay:
        assert places(relay) == [("::", 6001)]
        assert lines(log) == ["Listening on [::]:6001 for app 1001"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(apps=(APP,), host="192.0.2.1", port=6002), [("192.0.2.1", 6002)]),
        (Settings(apps=(APP,), host="::1"), [("::1", 6001)]),
        (
            Settings(apps=(APP,), host="192.0.2.1", listen=("tcp:1:interface=127.0.0.1", "tcp:2")),
            [("127.0.0.1", 1), ("", 2)],
        ),
        (resolve(Given(settings={"host": "127.0.0.1", "port": "6003"}), {}), [("127.0.0.1", 6003)]),
    ],
)
def test_it_listens_where_the_settings_say(
    settings: Settings, expected: list[tuple[str, int]]
) -> None:
    with running(settings) as relay:
        assert places(relay) == expected


def test_many_apps_are_named_in_short(log: list[LogEvent]) -> None:
    apps = tuple(
        App(id=f"app{number}", key=f"key{number}", secret=Secret("s")) for number in range(7)
    )
    with running(Settings(apps=apps)):
        assert lines(log)[0].endswith("for apps app0, app1, app2, app3, app4 and 2 more")


def test_started_as_twist_does_it_listens_too_and_once() -> None:
    # twist (26.10) does not call privilegedStartService.
    with running() as relay:
        assert len(relay.reactor.tcpServers) == 1
        relay.service.startService()
        assert len(relay.reactor.tcpServers) == 1


def test_it_brings_the_writer_of_its_log_along() -> None:
    def observer(event: LogEvent) -> None:
        """Writes nothing."""

    with running() as relay:
        relay.service._log_observer = observer
        application: Any = Application("test")
        assert isinstance(application, Componentized)
        relay.service.setServiceParent(application)
        assert application.getComponent(ILogObserver) is observer
        assert list(IService(application)) == [relay.service]


def test_it_is_not_ready_until_it_has_started() -> None:
    reactor: Any = MemoryReactorClock()
    service = RelayService(Settings(apps=(APP,)), reactor)
    service.privilegedStartService()
    assert service.readiness.reasons == ("the server is starting",)
    service.startService()
    assert service.readiness.is_ready


# -- stopping --------------------------------------------------------------------------------


def test_clients_are_told_4100_and_closed_and_then_it_has_stopped() -> None:
    with running() as relay:
        guests = [relay.guest("room"), relay.guest("room")]
        stopped = relay.service.stopService()
        assert not stopped.called
        assert relay.service.readiness.reasons == ("the server is stopping",)
        relay.turn()
        for guest in guests:
            [error] = guest.take()
            assert error["event"] == "pusher:error"
            assert error["data"]["code"] == 4100
            assert "stopping" in error["data"]["message"]
            assert guest.farewell == (4100, error["data"]["message"])
            assert not guest.line.is_open
        assert stopped.called


def test_a_client_that_never_answers_holds_nothing_up() -> None:
    with running() as relay:
        deaf, other = relay.guest(), relay.guest()
        deaf.is_alive = False
        stopped = relay.service.stopService()
        relay.turn()
        assert not other.line.is_open
        assert not stopped.called
        for _ in range(6):
            relay.advance(1)
        assert stopped.called
        assert not deaf.line.is_open


def test_a_client_that_does_not_read_holds_nothing_up() -> None:
    with running() as relay:
        speaker, sleeper = relay.guest("private-room"), relay.guest("private-room")
        sleeper.line.is_read = False
        for _ in range(10):
            speaker.whisper("private-room", "x" * 9000)
        relay.turn()
        stopped = relay.service.stopService()
        for _ in range(6):
            relay.advance(1)
        assert stopped.called
        assert not sleeper.line.is_open


def test_whose_handshake_ends_while_it_stops_is_told_to_come_again() -> None:
    with running() as relay:
        deaf = relay.guest()
        deaf.is_alive = False
        late = relay.line()
        late.send(handshake()[:20])
        relay.service.stopService()
        late.send(handshake()[20:])
        relay.turn()
        error, farewell = read_frames(late.read().partition(b"\r\n\r\n")[2])
        assert json.loads(error.payload)["data"]["code"] in (4100, 4200)
        assert farewell.close_code in (4100, 4200)


def test_members_leave_their_presence_channels() -> None:
    with running() as relay:
        guest = relay.guest()
        guest.subscribe("presence-room", '{"user_id":"ada"}')
        relay.turn()
        relay.service.stopService()
        relay.turn()
        assert len(relay.service.connections) == 0
        assert len(relay.service.relay.hub) == 0


def test_a_stopped_service_leaves_nothing_to_be_done_in_the_reactor() -> None:
    with running() as relay:
        guest = relay.guest("room")
        user_data = json.dumps({"id": "ada"})
        guest.say(
            "pusher:signin",
            data={"auth": signin_auth(guest.socket_id, user_data), "user_data": user_data},
        )
        relay.turn()
        asking = relay.line()
        asking.send(request("GET", "/up"))
        relay.line().send(b"GET /app/half")
        stopped = relay.service.stopService()
        relay.advance(5)
        relay.hang_up()
        relay.turn()
        assert stopped.called
        assert [str(call) for call in relay.reactor.getDelayedCalls()] == []


def test_its_ports_are_closed_before_its_clients() -> None:
    closed: list[str] = []

    with running() as relay:
        guest = relay.guest()
        guest.is_alive = False
        [port] = relay.service._ports
        port.stopListening = lambda: closed.append("port")
        relay.service.stopService()
        assert closed == ["port"]
        assert guest.line.is_open
        assert relay.service._ports == []
