"""wsrelay.logform"""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import (
    LogEvent,
    Logger,
    LogLevel,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.failure import Failure

from wsrelay.logform import as_json, as_text, observer_for


def events() -> list[LogEvent]:
    """Events as the relay and the libraries around it write them."""
    written: list[LogEvent] = []
    log = Logger(namespace="wsrelay", observer=written.append)
    log.info(
        "app {app}: {peer} opened {socket_id}", app="1001", peer="192.0.2.7:1", socket_id="1.2"
    )
    log.warn("a {word!r} and {number:.1f} and {missing_is[0]}", word="é", number=2, missing_is="x")
    log.info("two\nlines")
    log.info("{braces}", braces="{not} a {field}")
    log.info("{unknown}")
    log.info("{called()}", called=lambda: "called")
    log.info("no fields, but braces: {{}}")
    log.debug("without level")
    try:
        raise RuntimeError("a fault")
    except RuntimeError:
        log.failure("went wrong with {what}", what="it")
    written.append(
        {
            "log_format": "{log_text}",
            "log_text": "(TCP Port 6001 Closed)",
            "log_system": "-",
            "log_namespace": "log_legacy",
            "log_level": LogLevel.info,
            "log_time": time.time(),
        }
    )
    return written


@pytest.mark.parametrize("number", range(len(events())))
def test_a_line_of_text_is_the_one_that_twisted_writes(number: int) -> None:
    event = events()[number]
    assert as_text(dict(event)) == formatEventAsClassicLogText(dict(event), formatTime)


@pytest.mark.parametrize("number", range(len(events())))
def test_a_line_of_json_is_one_flat_object_on_one_line(number: int) -> None:
    line = as_json(events()[number])
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    told = json.loads(line)
    assert {"time", "level", "logger", "message"} <= told.keys()
    assert all(isinstance(value, str | int | float) for value in told.values())


def test_json_has_what_the_message_names() -> None:
    opened, *_ = events()
    opened["log_time"] = 1_700_000_000.5
    assert json.loads(as_json(opened)) == {
        "time": "2023-11-14T22:13:20.500+00:00",
        "level": "info",
        "logger": "wsrelay",
        "message": "app 1001: 192.0.2.7:1 opened 1.2",
        "app": "1001",
        "peer": "192.0.2.7:1",
        "socket_id": "1.2",
    }


def test_a_failure_in_json_has_its_traceback() -> None:
    event: LogEvent = {
        "log_format": "went wrong",
        "log_failure": Failure(RuntimeError("a fault")),
        "log_time": 0.0,
    }
    told = json.loads(as_json(event))
    assert (told["level"], told["logger"], told["message"]) == ("info", "-", "went wrong")
    assert "RuntimeError: a fault" in told["traceback"]


def test_a_field_cannot_pass_itself_off_as_level_or_message() -> None:
    event: LogEvent = {
        "log_format": "{message}",
        "message": "forged",
        "level": "forged",
        "log_time": 0.0,
    }
    told = json.loads(as_json(event))
    assert told["level"] == "info"


# -- where the lines go ------------------------------------------------------------------------


def written_by(observer: Any) -> None:
    observer(events()[0])


@pytest.mark.parametrize("form", ["text", "json"])
def test_in_the_foreground_lines_go_to_standard_output(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    written_by(observer_for({"nodaemon": True, "logfile": None, "syslog": False}, form))
    line = out.getvalue()
    assert line.startswith("{") is (form == "json")
    assert "1001: 192.0.2.7:1 opened 1.2" in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_log_file_gets_the_lines(form: str, tmp_path: Path) -> None:
    file = tmp_path / "relay.log"
    observer = observer_for({"nodaemon": False, "logfile": str(file), "syslog": False}, form)
    written_by(observer)
    observer._outFile.close()
    assert file.read_text().startswith("{") is (form == "json")


def test_without_twistd_there_is_nothing_to_write_to() -> None:
    assert observer_for(None, "json") is None


def test_twist_is_told_by_its_options_and_writes_itself() -> None:
    options: dict[str, Any] = {"fileLogObserverFactory": None}
    assert observer_for(options, "text") is None
    assert options["fileLogObserverFactory"] is None
    assert observer_for(options, "json") is None
    out = io.StringIO()
    written_by(options["fileLogObserverFactory"](out))
    assert "opened" in out.getvalue()


def test_twist_writes_the_same_json_as_twistd() -> None:
    options: dict[str, Any] = {"fileLogObserverFactory": None}
    observer_for(options, "json")
    out = io.StringIO()
    written_by(options["fileLogObserverFactory"](out))
    assert json.loads(out.getvalue())["message"] == "app 1001: 192.0.2.7:1 opened 1.2"
