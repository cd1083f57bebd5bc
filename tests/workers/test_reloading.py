"""wsrelay.workers.reloading: all workers take up a configuration, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from twisted.internet.defer import Deferred

from tests.signing import APP
from tests.tls.authority import Authority
from tests.workers.log import logged
from tests.workers.test_crew import Team
from wsrelay.config.handed import unpacked
from wsrelay.config.resolve import ConfigurationError
from wsrelay.config.settings import DEVELOPMENT_APP, Settings
from wsrelay.workers.crew import PATIENCE
from wsrelay.workers.reloading import Configuration
from wsrelay.workers.words import Judged, Prepare, Ready, TakeUp

START = Settings(apps=(APP,), port=6001)
NEW = structs.replace(START, max_body_bytes=5000)


class Reloaded:
    """Three workers, and the configuration that is read next."""

    def __init__(self, start: Settings = START) -> None:
        self.team = Team(3)
        self.next: Settings | Exception = NEW
        self.configuration = Configuration(start, self._read, self.team.crew)

    def _read(self) -> Settings:
        if isinstance(self.next, Exception):
            raise self.next
        return self.next

    def begin(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.configuration.reload())

    def said(self, kind: type[Any]) -> list[int]:
        """Who has been told such a word."""
        return [n for n in (1, 2, 3) if any(isinstance(w, kind) for w in self.team.said_to(n))]


@pytest.fixture
def reloaded() -> Reloaded:
    return Reloaded()


def test_when_all_agree_all_take_it_up(reloaded: Reloaded) -> None:
    with logged() as lines:
        done = reloaded.begin()
        for number in (1, 2, 3):
            assert reloaded.said(TakeUp) == []
            reloaded.team.hear(number, Judged(""))
    assert done.called
    assert reloaded.said(TakeUp) == [1, 2, 3]
    prepare = reloaded.team.said_to(2)[0]
    assert unpacked(prepare.settings) == NEW == reloaded.configuration.settings
    assert lines == ["info Reload: done by 3 workers"]


def test_when_one_can_not_nothing_changes_anywhere(reloaded: Reloaded) -> None:
    with logged() as lines:
        reloaded.begin()
        reloaded.team.hear(1, Judged(""))
        reloaded.team.hear(2, Judged("tls: no key"))
        reloaded.team.hear(3, Judged(""))
    assert reloaded.said(TakeUp) == []
    assert reloaded.configuration.settings == START
    assert lines == ["error Reload: tls: no key; nothing was changed"]


def test_a_faulty_configuration_reaches_nobody(reloaded: Reloaded) -> None:
    for fault in (ConfigurationError("port: what"), Settings(apps=(DEVELOPMENT_APP,))):
        reloaded.next = fault
        with logged() as lines:
            assert reloaded.begin().called
        assert lines[0].endswith("; nothing was changed")
        assert reloaded.said(Prepare) == []


def test_when_one_does_not_answer_nothing_changes(reloaded: Reloaded) -> None:
    with logged() as lines:
        reloaded.begin()
        for number in (1, 2):
            reloaded.team.hear(number, Judged(""))
        reloaded.team.clock.advance(PATIENCE)
    assert reloaded.said(TakeUp) == []
    assert lines == ["error Reload: worker 3 does not answer; nothing was changed"]


def test_who_takes_the_place_of_one_that_died_meanwhile_is_told_as_well(
    reloaded: Reloaded,
) -> None:
    reloaded.begin()
    for number in (1, 2):
        reloaded.team.hear(number, Judged(""))
    reloaded.team.dies(3)  # the others have answered: it is taken up
    assert reloaded.said(TakeUp) == [1, 2]
    for has_answered in (False, True):
        reloaded = Reloaded()
        reloaded.begin()
        if has_answered:
            reloaded.team.hear(3, Judged(""))
        reloaded.team.dies(3)
        reloaded.team.clock.advance(0)
        reloaded.team.hear(3, Ready())
        for number in (1, 2):
            reloaded.team.hear(number, Judged(""))
        assert [type(word) for word in reloaded.team.said_to(3)] == [Prepare, TakeUp]


def test_what_needs_a_restart_is_named_once_and_not_handed_on(reloaded: Reloaded) -> None:
    reloaded.next = structs.replace(NEW, port=7001, workers=9)
    with logged() as lines:
        reloaded.begin()
        for number in (1, 2, 3):
            reloaded.team.hear(number, Judged(""))
    assert lines[1:] == ["warn Reload: port, workers changed and will count after a restart"]
    assert unpacked(reloaded.team.said_to(1)[0].settings) == NEW


def test_files_are_named_by_whole_paths_and_known_by_those_who_may_not_read_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = Authority().issue("relay.example").store(tmp_path)
    start = structs.replace(START, tls_cert=Path(files.cert).name, tls_key=Path(files.key).name)
    reloaded = Reloaded(start)
    handed = unpacked(reloaded.configuration.packed)
    assert (handed.tls_cert, handed.tls[0].certificates) == ("", (files,))
    assert reloaded.configuration.files.keys() == {files.cert, files.key}
    reloaded.next = structs.replace(start, max_body_bytes=5000)
    Path(files.key).unlink()
    reloaded.begin()
    for number in (1, 2, 3):
        reloaded.team.hear(number, Judged(""))
    assert reloaded.configuration.files.keys() == {files.cert, files.key}
