"""wsrelay.descriptors; with a real process that has few of them in tests/stories."""

from __future__ import annotations

import errno
import os
import resource
import socket
from typing import Any

import pytest
from twisted.internet.task import Clock

from wsrelay.core.connections import Connections
from wsrelay.core.notices import Tally
from wsrelay.descriptors import REST, Acceptor, Descriptors, raise_limit


class Knocking:
    """A listening socket whose ``accept`` does one thing after the other."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)

    def accept(self) -> Any:
        outcome = self.outcomes.pop(0) if self.outcomes else BlockingIOError()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Port:
    """What of ``tcp.Port`` is used."""

    connected = True
    disconnecting = False
    sessionno = 0
    numberAccepts = 100

    def __init__(self, *outcomes: Any) -> None:
        self.socket = Knocking(*outcomes)
        self.reactor = Clock()
        self.factory = self
        self.is_reading = True
        self.welcomed: list[Any] = []

    def _buildAddr(self, client: Any) -> Any:
        return client

    def buildProtocol(self, client: Any) -> Any:
        if client == "fault":
            raise RuntimeError("a fault of ours")
        return None if client == "unwanted" else self

    def transport(self, connection: Any, protocol: Any, client: Any, *rest: Any) -> Any:
        return client

    def makeConnection(self, client: Any) -> None:
        self.welcomed.append(client)

    def stopReading(self) -> None:
        self.is_reading = False

    def startReading(self) -> None:
        self.is_reading = True


@pytest.fixture
def descriptors() -> Any:
    made = Descriptors(128, Connections(), Tally(), Clock().seconds)
    yield made
    made.close()


def connection() -> socket.socket:
    return socket.socket()


def failing(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def test_the_limit_is_the_one_that_the_process_may_have() -> None:
    assert raise_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard


@pytest.mark.parametrize(
    ("limit", "kept_back"),
    [(40, 30), (128, 96), (1024, 960), (4096, 3840), (1 << 20, (1 << 20) - 1024)],
)
def test_some_are_kept_back(limit: int, kept_back: int) -> None:
    assert Descriptors(limit, Connections(), Tally(), Clock().seconds).kept_back == kept_back


def test_nobody_is_admitted_while_the_newest_connection_has_one_of_those_kept_back() -> None:
    connections = Connections()
    descriptors = Descriptors(128, connections, Tally(), Clock().seconds)
    for descriptor, is_full in ((20, False), (95, False), (96, True), (120, True), (21, False)):
        descriptors.taken(descriptor)
        assert connections.is_full is is_full


@pytest.mark.parametrize("code", [errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EIO])
def test_a_port_that_may_not_accept_rests_and_goes_on(descriptors: Descriptors, code: int) -> None:
    with connection() as first, connection() as second:
        port = Port((first, "first"), failing(code), (second, "second"))
        acceptor = Acceptor(port, descriptors)
        acceptor.accept()
        assert port.welcomed == ["first"]
        assert not port.is_reading
        port.reactor.advance(REST)
        assert port.is_reading
        acceptor.accept()
        assert port.welcomed == ["first", "second"]


def test_without_a_descriptor_those_who_wait_are_closed_and_the_spare_one_is_back() -> None:
    tally = Tally()
    descriptors = Descriptors(128, Connections(), tally, Clock().seconds)
    waiting = [connection(), connection()]
    port = Port(failing(errno.EMFILE), *((each, "late") for each in waiting))
    Acceptor(port, descriptors).accept()
    assert [each.fileno() for each in waiting] == [-1, -1]
    assert tally.connections_turned_away == 2
    assert port.welcomed == []
    assert descriptors.give_up_spare()


def test_a_port_that_stopped_meanwhile_stays_so(descriptors: Descriptors) -> None:
    port = Port(failing(errno.ENFILE))
    Acceptor(port, descriptors).accept()
    port.disconnecting = True
    port.reactor.advance(REST)
    assert not port.is_reading


def test_who_is_gone_already_or_kept_out_is_passed_over(descriptors: Descriptors) -> None:
    with connection() as other:
        port = Port(failing(errno.ECONNABORTED), failing(errno.EPERM), (other, "other"))
        Acceptor(port, descriptors).accept()
        assert port.welcomed == ["other"]
        assert port.is_reading


def test_who_is_not_wanted_is_closed(descriptors: Descriptors) -> None:
    unwanted = connection()
    Acceptor(Port((unwanted, "unwanted")), descriptors).accept()
    assert unwanted.fileno() == -1


def test_a_fault_costs_one_connection() -> None:
    from twisted.logger import globalLogPublisher

    descriptors = Descriptors(128, Connections(), Tally(), Clock().seconds)
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    dropped = connection()
    try:
        with connection() as other:
            port = Port((dropped, "fault"), (other, "other"))
            Acceptor(port, descriptors).accept()
            assert port.welcomed == ["other"]
    finally:
        globalLogPublisher.removeObserver(events.append)
        descriptors.close()
    assert dropped.fileno() == -1
    assert "a fault of ours" in str([event["log_failure"] for event in events])
