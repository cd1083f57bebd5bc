"""wsrelay.logfile: whose name was taken away, and given to a new file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.logger import FileLogObserver, formatEvent, globalLogPublisher
from twisted.python.logfile import LogFile

from wsrelay.logfile import file_of, reopen


@pytest.fixture
def file(tmp_path: Path) -> Iterator[LogFile]:
    observer = FileLogObserver(LogFile("relay.log", str(tmp_path)), formatEvent)
    found = file_of(observer)
    assert found is not None
    yield found
    found.close()


def test_what_is_written_after_the_renaming_is_in_the_file_that_has_the_name_now(
    file: LogFile, tmp_path: Path
) -> None:
    file.write("before\n")
    (tmp_path / "relay.log").rename(tmp_path / "relay.log.1")
    file.write("between\n")
    reopen(file)
    file.write("after\n")
    assert (tmp_path / "relay.log.1").read_text() == "before\nbetween\n"
    assert (tmp_path / "relay.log").read_text() == "after\n"


def test_it_does_not_number_old_files_itself(file: LogFile, tmp_path: Path) -> None:
    for _ in range(30):
        file.write("x" * 99_999 + "\n")
    assert [found.name for found in tmp_path.iterdir()] == ["relay.log"]


def test_when_the_new_file_cannot_be_had_the_old_one_is_kept(file: LogFile, tmp_path: Path) -> None:
    (tmp_path / "relay.log").rename(tmp_path / "relay.log.1")
    (tmp_path / "relay.log").mkdir()
    told: list[str] = []

    def observe(event: dict[str, object]) -> None:
        told.append(str(event["log_format"]))

    globalLogPublisher.addObserver(observe)
    try:
        reopen(file)
    finally:
        globalLogPublisher.removeObserver(observe)
    file.write("still\n")
    assert (tmp_path / "relay.log.1").read_text() == "still\n"
    assert told == ["the log can't be opened anew, the old file is kept: {error}"]


def test_what_is_no_file_has_none() -> None:
    assert file_of(None) is None
    assert file_of(FileLogObserver(io.StringIO(), formatEvent)) is None
