"""wsrelay.workers.log: a worker's events on their way to the parent's lines."""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from wsrelay.logform import as_json, as_text
from wsrelay.workers.log import LONGEST_LINE, Lines, Telling, relate, told
from wsrelay.workers.words import Said


def events_of(said: Said) -> list[Any]:
    """What the parent's log gets."""
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    relate(2, said)
    globalLogPublisher.removeObserver(events.append)
    return events


def said_by(
    level: str, form: str, namespace: str = "wsrelay.web.site", **values: Any
) -> list[Said]:
    heard: list[Said] = []
    logger = Logger(namespace=namespace, observer=Telling(heard.append))
    logger.emit(LogLevel.levelWithName(level), form, **values)
    return heard


def test_an_event_is_told_with_its_text_and_what_it_names() -> None:
    [said] = said_by("warn", "{peer} refused ({code}) {thing}", peer="a", code=4, thing=[1])
    assert (said.level, said.logger, said.text) == ("warn", "wsrelay.web.site", "a refused (4) [1]")
    assert said.values == {"peer": "a", "code": 4}


def test_what_twisted_says_of_every_port_is_left_out_and_its_warnings_are_not() -> None:
    assert said_by("info", "Starting factory", "twisted.internet") == []
    assert said_by("info", "mine", "wsrelayed") == []
    assert len(said_by("warn", "oh", "twisted.internet")) == 1
    assert told({"log_time": 0.0, "log_format": "legacy"}) is None


def test_the_parent_writes_which_worker_has_said_it() -> None:
    [event] = events_of(Said(0.0, "info", "wsrelay", "1 {curly} thing", {"many": 1}))
    text = as_text(event)
    assert text is not None
    assert text.endswith(" [wsrelay#info] worker 2: 1 {curly} thing\n")
    line = json.loads(as_json(event))
    assert (line["time"], line["level"]) == ("1970-01-01T00:00:00.000+00:00", "info")
    assert (line["message"], line["worker"], line["many"]) == ("worker 2: 1 {curly} thing", 2, 1)


def test_a_failure_comes_with_its_traceback_on_one_line_of_the_log() -> None:
    heard: list[Said] = []
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        Logger(namespace="wsrelay", observer=Telling(heard.append)).failure("oh", Failure())
    [event] = events_of(heard[0])
    text = as_text(event)
    assert text is not None
    assert "worker 2: oh\n\tTraceback" in text
    assert text.count("\n") == text.count("\n\t") + 1
    assert "ZeroDivisionError" in json.loads(as_json(event))["traceback"]


def test_lines_are_whole_however_they_come_and_bounded() -> None:
    lines: list[str] = []
    reading = Lines(lines.append)
    for piece in (b"Fatal", b" error\n\nsecond\nth", b"ird"):
        reading.receive(piece)
    assert lines == ["Fatal error", "second"]
    reading.end()
    assert lines.pop() == "third"
    for _ in range(3):
        reading.receive(b"x" * LONGEST_LINE)
    reading.receive(b"\n\xff\n")
    assert [len(line) for line in lines[2:]] == [LONGEST_LINE, 1]
