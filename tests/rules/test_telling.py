"""wsrelay.rules.telling: all that a node has of a channel, in parts that fit."""

from __future__ import annotations

import pytest

from tests.doubles import RecordingSubscriber
from wsrelay.core.frame import Frame
from wsrelay.core.notices import Tally
from wsrelay.core.remarks import Came, Stand
from wsrelay.rules import telling
from wsrelay.rules.present import Present
from wsrelay.rules.snapshot import Snapshot
from wsrelay.rules.telling import Telling


def a_room(*names: str) -> tuple[Present, Snapshot]:
    present, snapshot = Present(), Snapshot(Tally())
    for number, name in enumerate(names):
        present.join(RecordingSubscriber(f"1.{number}"), name)
        snapshot.remember(name, "client-move", Frame(b"{}"), ("room", "client-move", f"1.{number}"))
    snapshot.remember("elsewhere", "client-move", Frame(b"{}"), ("room", "client-move", "2.1"))
    return present, snapshot


def test_connections_and_what_their_members_said_are_told() -> None:
    present, snapshot = a_room("ada")
    [told] = Telling(present, snapshot, None, has_presence=True).parts(answers=("a", 3))
    assert told.connections == [Came("1.0", "ada")]
    assert told.stands == [Stand("ada", "client-move", "1.0", b"{}")]
    assert (told.is_first, told.is_last, told.asks, told.answers) == (True, True, 0, ("a", 3))
    [told] = Telling(present, None, None, has_presence=False).parts(asks=1)
    assert (told.connections, told.stands, told.asks) == ([Came("1.0")], [], 1)


def test_what_is_too_long_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MOST_BYTES", 100)
    present, snapshot = a_room(*map(str, range(10)))
    parts = list(Telling(present, snapshot, None, has_presence=True).parts(asks=1))
    assert len(parts) > 3
    assert sum(len(part.connections) for part in parts) == 10
    assert sum(len(part.stands) for part in parts) == 10
    assert [part.is_first for part in parts] == [True] + [False] * (len(parts) - 1)
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert {part.asks for part in parts} == {1}
