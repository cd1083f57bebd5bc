"""wsrelay.workers.child: a real process, and what goes through its pipes."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.testing import MemoryReactorClock

from tests.loopback import LoopbackTestCase, reactor
from tests.workers.log import logged
from wsrelay.workers.child import ChildProtocol, spawn
from wsrelay.workers.words import Failed, Hurry, Ready, framed


class Transport:
    """The parent's end of a process."""

    pid = 4711

    def __init__(self) -> None:
        self.written: list[tuple[int, bytes]] = []
        self.signals: list[str] = []
        self.is_gone = False

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        if self.is_gone:
            raise KeyError(descriptor)
        self.written.append((descriptor, data))

    def signalProcess(self, name: str) -> None:
        if self.is_gone:
            raise ProcessExitedAlready
        self.signals.append(name)


class Spawning(MemoryReactorClock):
    """Keeps how a process would be started."""

    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[Any] = []

    def spawnProcess(self, protocol: Any, executable: str, args: Any, **more: Any) -> None:  # type: ignore[override]
        self.spawned.append((executable, args, more))
        protocol.makeConnection(Transport())


def test_it_is_the_same_python_with_the_same_modules_and_nothing_of_the_service_manager() -> None:
    spawning = Spawning()
    child = ChildProtocol(3, print, print)
    environ = {"NOTIFY_SOCKET": "/n", "LISTEN_FDS": "1", "WATCHDOG_USEC": "1", "HOME": "/h"}
    spawn(spawning, child, [70, 71], environ)
    [(executable, arguments, more)] = spawning.spawned
    assert executable == sys.executable
    assert arguments == [sys.executable, "-P", "-m", "wsrelay.workers", "3"]
    assert more["env"].keys() == {"HOME", "PYTHONPATH"}
    assert more["env"]["PYTHONPATH"].split(os.pathsep) == [path for path in sys.path if path]
    nothing = more["childFDs"].pop(0)
    assert more["childFDs"] == {1: "r", 2: "r", 3: "w", 4: "r", 5: 70, 6: 71}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(nothing)
    assert child.pid == 4711


def test_words_go_both_ways_and_raw_lines_go_to_the_log() -> None:
    heard: list[Any] = []
    child = ChildProtocol(2, heard.append, print)
    transport = Transport()
    child.makeConnection(transport)  # type: ignore[arg-type]
    child.say(Hurry())
    assert transport.written == [(3, framed(Hurry()))]
    child.childDataReceived(4, framed(Ready()))
    assert heard == [Ready()]
    with logged() as lines:
        child.childDataReceived(2, b"Fatal Python error: Segmentation fault\nCurrent")
    assert lines == ["warn worker 2: Fatal Python error: Segmentation fault"]


def test_who_speaks_nonsense_is_ended() -> None:
    child = ChildProtocol(2, print, print)
    transport = Transport()
    child.makeConnection(transport)  # type: ignore[arg-type]
    with logged() as lines:
        child.childDataReceived(4, b"\0\0\0\1\xff")
    assert transport.signals == ["KILL"]
    assert "worker 2 can't be understood and is ended" in lines[0]


def test_whoever_is_gone_is_spoken_to_no_more() -> None:
    child = ChildProtocol(2, print, print)
    transport = Transport()
    child.makeConnection(transport)  # type: ignore[arg-type]
    transport.is_gone = True
    child.say(Hurry())
    child.kill()
    assert (transport.written, transport.signals) == ([], [])


class RealChildTest(LoopbackTestCase):
    async def test_a_real_one_says_why_it_can_not_start_and_how_it_ended(self) -> None:
        heard: list[Any] = []
        ended: Deferred[str] = Deferred()
        child = ChildProtocol(1, heard.append, ended.callback)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            spawn(reactor, child, [listening.fileno()], os.environ)
            from wsrelay.config.handed import packed
            from wsrelay.config.settings import Certificate, Settings, TlsListener
            from wsrelay.workers.words import Start

            nowhere = Certificate(cert="/nowhere.pem", key="/nowhere.pem")
            settings = Settings(tls=(TlsListener(certificates=(nowhere,)),))
            child.say(Start(1, packed(settings), [], {}))
            assert await ended == "ended with status 1"
        assert heard == [Failed("tls: /nowhere.pem: can't be read: No such file or directory")]

    async def test_it_ends_when_its_parent_is_gone(self) -> None:
        ended: Deferred[str] = Deferred()
        child = ChildProtocol(1, print, ended.callback)
        spawn(reactor, child, [], os.environ)
        child.transport.closeChildFD(3)  # type: ignore[union-attr]
        assert await ended == "ended with status 0"
