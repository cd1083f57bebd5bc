"""What a line of the log looks like: text for people, JSON for machines.

Where the lines go is ``twistd``'s to say (``--logfile``, ``--syslog``, standard output). Its own
text form takes 60 microseconds a line (Twisted 26.10), a quarter of what a connection costs when
every one opens with a line; this one takes a tenth of that and reads the same.
"""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

from msgspec import json
from twisted.logger import (
    FileLogObserver,
    ILogObserver,
    LogEvent,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.scripts._twistd_unix import UnixAppLogger

_stamp: tuple[int, str] = (-1, "")


def as_text(event: LogEvent) -> str | None:
    """``2026-11-22T21:13:02+0000 [wsrelay#info] text``, as Twisted writes it."""
    if "log_failure" not in event and "log_system" not in event:
        try:
            text: str = event["log_format"].format_map(event)
            name, level = event["log_namespace"], event["log_level"].name
            return "{} [{}#{}] {}\n".format(
                _stamp_of(event["log_time"]), name, level, text.replace("\n", "\n\t")
            )
        except Exception:  # a form that only Twisted's own formatter knows
            pass
    return formatEventAsClassicLogText(event, formatTime)


def _stamp_of(moment: float) -> str:
    global _stamp
    second = int(moment)
    if _stamp[0] != second:
        _stamp = (second, time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second)))
    return _stamp[1]


def as_json(event: LogEvent) -> str:
    """One flat object on one line: time, level, logger, message, and what the message names.

    Twisted's own JSON (26.10) has every field three times and the message not at all.
    """
    level = event.get("log_level")
    moment = datetime.fromtimestamp(event["log_time"], UTC)
    line = {
        "time": moment.isoformat(timespec="milliseconds"),
        "level": level.name if level is not None else "info",
        "logger": event.get("log_namespace", "-"),
        "message": formatEvent(event),
    }
    for name, value in event.items():
        if isinstance(value, str | int | float) and not name.startswith(("log_", "isError")):
            line.setdefault(name, value)
    if "log_failure" in event:
        line["traceback"] = event["log_failure"].getTraceback()
    return json.encode(line).decode() + "\n"


def observer_for(options: MutableMapping[str, Any] | None, form: str) -> Any:
    """What writes the lines, given the options of ``twistd``; ``None`` to leave it to others.

    ``twist`` has ``--log-format`` of its own and is told by its options.
    """
    if options is None:
        return None
    if "fileLogObserverFactory" in options:
        if form == "json":
            options["fileLogObserverFactory"] = lambda file: FileLogObserver(file, as_json)
        return None
    observer = UnixAppLogger({**options, "logger": None})._getLogObserver()
    if isinstance(observer, FileLogObserver):
        observer.formatEvent = as_json if form == "json" else as_text
        return observer
    return None  # syslog has a form of its own


def bring_along(application: Any, observer: Any) -> None:
    """Give the application what writes its log.

    ``twistd`` looks for it there when it starts its log (``AppLogger``, Twisted 26.10).
    """
    if observer is not None and hasattr(application, "setComponent"):
        application.setComponent(ILogObserver, observer)
