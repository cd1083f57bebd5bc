"""The log of a relay of several processes: workers tell, the parent writes.

So there is one file, one form and one writer, and no line is cut by another.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from .words import Said

#: Bytes of a line that a worker writes by other means, such as an interpreter that crashes.
LONGEST_LINE = 4096


@implementer(ILogObserver)
class Telling:
    """A worker's observer of the log."""

    def __init__(self, tell: Callable[[Said], None]) -> None:
        self._tell = tell

    def __call__(self, event: LogEvent) -> None:
        said = told(event)
        if said is not None:
            self._tell(said)


def told(event: LogEvent) -> Said | None:
    """The event as the parent is told of it; ``None`` for what Twisted says as often as it likes.

    That is each port that opens or closes: the parent's own are enough of those.
    """
    level = event.get("log_level") or LogLevel.info
    logger = str(event.get("log_namespace", "-"))
    is_ours = logger == "wsrelay" or logger.startswith("wsrelay.")
    if level < LogLevel.warn and not is_ours:
        return None
    values = {
        name: value
        for name, value in event.items()
        if isinstance(value, str | int | float) and not name.startswith(("log_", "isError"))
    }
    if "log_failure" in event:
        values["traceback"] = event["log_failure"].getTraceback()
    return Said(event["log_time"], level.name, logger, formatEvent(event) or "", values)


def relate(number: int, said: Said) -> None:
    """Write down what the worker with this number has said."""
    form = "worker {worker}: {log_said}"
    if "traceback" in said.values:
        form += "\n{traceback}"
    globalLogPublisher(
        {
            **said.values,
            "worker": number,
            "log_said": said.text,
            "log_format": form,
            "log_time": said.time,
            "log_level": LogLevel.levelWithName(said.level),
            "log_namespace": said.logger,
        }
    )


class Lines:
    """What comes in pieces, in whole lines; longer ones are cut."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self._rest = b""

    def receive(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(line)
        self._rest = rest[:LONGEST_LINE]

    def end(self) -> None:
        rest, self._rest = self._rest, b""
        self._say(rest)

    def _say(self, line: bytes) -> None:
        if text := line[:LONGEST_LINE].decode(errors="replace").rstrip():
            self._hear(text)
