"""wsrelay.workers.__main__: the process itself; what it does is Serving's, and tested there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.stories.processes import DEADLINE
from tests.workers.test_child import Spawning
from wsrelay.workers import __main__ as program


def test_by_itself_it_says_who_starts_it() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "wsrelay.workers", "1"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "wsrelay.workers: started by twistd wsrelay --workers N, and by nobody else\n"
    )


def test_a_descriptor_may_be_anything() -> None:
    ends = os.pipe()
    assert program.is_pipe(ends[0])
    for end in ends:
        os.close(end)
    assert not program.is_pipe(ends[0])
    with open(os.devnull) as nothing:
        assert not program.is_pipe(nothing.fileno())


def test_it_serves_until_the_reactor_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[Any] = []
    begun: list[Any] = []

    class Reactor(Spawning):
        def run(self, installSignalHandlers: bool = True) -> None:
            assert not installSignalHandlers

    monkeypatch.setattr(
        program.stdio, "StandardIO", lambda protocol, **more: connected.append((protocol, more))
    )
    monkeypatch.setattr(
        program.globalLogBeginner,
        "beginLoggingTo",
        lambda observers, **more: begun.append(observers),
    )
    reactor = Reactor()
    assert program.run(reactor) == 0
    [(_, more)] = connected
    assert more == {"stdin": 3, "stdout": 4, "reactor": reactor}
    assert len(begun) == 1


def test_signals_are_no_matter_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored: list[int] = []
    monkeypatch.setattr("signal.signal", lambda number, how: ignored.append(number))
    monkeypatch.setattr(program, "is_pipe", lambda descriptor: True)
    monkeypatch.setattr(program, "run", lambda reactor: 0)
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 0
    assert set(ignored) == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
