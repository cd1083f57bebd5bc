"""wsrelay.notify: what arrives at a real socket, as systemd would read it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from wsrelay.notify import STATUS_INTERVAL, Notify


class Service:
    """A service whose manager is the test."""

    def __init__(self, address: str, **environ: str) -> None:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.setblocking(False)
        self.manager.bind(address)
        self.clock = Clock()
        self.status = "0 connections, 0 channels"
        name = "@" + address[1:] if address.startswith("\0") else address
        self.environ = {"NOTIFY_SOCKET": name, **environ}
        self.notify = Notify(self.clock, lambda: self.status, self.environ)

    def told(self) -> list[dict[str, str]]:
        """What has come: the variables of each datagram."""
        messages = []
        while True:
            try:
                text = self.manager.recv(4096).decode()
            except BlockingIOError:
                return messages
            messages.append(dict(line.split("=", 1) for line in text.split("\n")))

    def close(self) -> None:
        self.notify.close()
        self.manager.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "path":
        return str(tmp_path_factory.mktemp("n") / "notify")
    return f"\0wsrelay-test-{os.getpid()}-{time.monotonic_ns()}"


@pytest.fixture
def service(address: str) -> Iterator[Service]:
    made = Service(address)
    yield made
    made.close()


def test_it_is_ready_once_the_reactor_runs(service: Service) -> None:
    service.notify.started()
    assert service.told() == []
    service.clock.advance(0)
    assert service.told() == [
        {"READY": "1", "MAINPID": str(os.getpid()), "STATUS": "0 connections, 0 channels"}
    ]


def test_children_do_not_speak_for_it(service: Service) -> None:
    assert service.environ == {}


def test_the_status_is_told_when_it_has_changed(service: Service) -> None:
    service.notify.started()
    service.clock.advance(0)
    service.told()
    service.clock.advance(STATUS_INTERVAL)
    assert service.told() == []
    service.status = "312 connections, 14 channels"
    service.clock.advance(STATUS_INTERVAL)
    assert service.told() == [{"STATUS": "312 connections, 14 channels"}]


def test_a_reload_begins_with_the_time_and_ends_with_ready(service: Service) -> None:
    before = time.monotonic_ns() // 1000
    service.notify.reloading()
    service.notify.reloaded()
    begun, done = service.told()
    assert begun["RELOADING"] == "1"
    assert before <= int(begun["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert done == {"READY": "1"}


def test_while_it_stops_it_says_how_long_that_may_take_and_how_far_it_is(service: Service) -> None:
    service.notify.started()
    service.clock.advance(0)
    service.told()
    service.status = "9 connections, 1 channels"
    service.notify.stopping(7.5)
    assert service.told() == [
        {
            "STOPPING": "1",
            "STATUS": "stopping, 9 connections, 1 channels",
            "EXTEND_TIMEOUT_USEC": "7500000",
        }
    ]
    service.status = "3 connections, 1 channels"
    service.clock.advance(STATUS_INTERVAL)
    assert service.told() == [{"STATUS": "stopping, 3 connections, 1 channels"}]
    service.notify.close()
    assert not service.clock.getDelayedCalls()


def test_signs_of_life_come_twice_as_often_as_they_have_to(address: str) -> None:
    service = Service(address, WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid()))
    try:
        service.notify.started()
        service.clock.advance(0)
        assert service.told()[1:] == [{"WATCHDOG": "1"}]
        for _ in range(3):
            service.clock.advance(14.9)
            assert service.told() == []
            service.clock.advance(0.1)
            assert service.told() == [{"WATCHDOG": "1"}]
        service.notify.stopping(60)
        service.clock.advance(15)
        assert {"WATCHDOG": "1"} in service.told()  # the end may take long
        assert service.environ == {}
    finally:
        service.close()


@pytest.mark.parametrize(
    "environ",
    [
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
    ],
)
def test_nobody_waits_for_signs_of_life(address: str, environ: dict[str, str]) -> None:
    service = Service(address, **environ)
    try:
        service.notify.started()
        service.clock.advance(0)
        service.clock.advance(60)
        assert not [told for told in service.told() if "WATCHDOG" in told]
    finally:
        service.close()


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "relative/path"])
def test_without_a_manager_nothing_happens(name: str) -> None:
    clock = Clock()
    environ = {"NOTIFY_SOCKET": name} if name else {}
    notify = Notify(clock, str, {**environ, "WATCHDOG_USEC": "1000000"})
    notify.started()
    notify.reloading()
    notify.stopping(1)
    notify.close()
    assert not clock.getDelayedCalls()


def test_a_manager_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    clock = Clock()
    notify = Notify(clock, str, {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notify.started()
    clock.advance(0)
    notify.close()


def test_without_life_there_is_no_sign_of_it(address: str) -> None:
    service = Service(address, WATCHDOG_USEC="2000000")
    is_alive = [True]
    service.environ["NOTIFY_SOCKET"] = "@" + address[1:] if address[0] == "\0" else address
    service.environ["WATCHDOG_USEC"] = "2000000"
    notify = Notify(service.clock, lambda: "", service.environ, lambda: is_alive[0])
    notify.started()
    service.clock.advance(0)
    service.clock.advance(1)
    assert sum("WATCHDOG" in told for told in service.told()) == 2
    is_alive[0] = False
    service.clock.advance(1)
    assert not any("WATCHDOG" in told for told in service.told())
    is_alive[0] = True
    service.clock.advance(1)
    assert any("WATCHDOG" in told for told in service.told())
    notify.close()
    service.close()
