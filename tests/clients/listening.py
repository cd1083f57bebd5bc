"""What a client heard, and how a test waits for it, whichever library the client is made with.

``expect`` waits for a report, ``heard`` lists those so far. To show that something did not arrive,
expect a later event on the same connection, then look at ``heard``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

Found = TypeVar("Found")
Source = Literal["channel", "echo", "frame", "user", "watchlist", "state", "error"]


@dataclass(frozen=True)
class Report:
    """What a client heard.

    ``source`` says from whom: a binding of a channel ("channel", "echo" in Echo), of the signed-in
    "user" or of his "watchlist" (then ``data`` is a list of users), the message of each frame
    ("frame"), the connection's new "state", or an "error" of it.
    """

    source: Source
    event: str
    channel: str | None = None
    data: Any = None
    user_id: str | None = None
    tab: str | None = None

    def is_like(self, wanted: Mapping[str, object]) -> bool:
        return all(getattr(self, name) == value for name, value in wanted.items())


class Ear(Protocol):
    """Where the reports of one client are kept in their order."""

    def reports(self) -> Sequence[Mapping[str, Any]]: ...
    def wait_for(self, look: Callable[[], Found | None], wanted: str) -> Found: ...


class Listener:
    """What was heard by a client of any library; ``name`` is the user's, for messages."""

    def __init__(self, ear: Ear, name: str) -> None:
        self.name = name
        self._ear = ear
        self._expected: set[int] = set()

    def expect(self, event: str, *, source: Source, **wanted: object) -> Report:
        """The first report like this that was not expected before; waits for it."""
        wanted = {"event": event, "source": source, **wanted}

        def look() -> tuple[int, Report] | None:
            for position, report in enumerate(self._reports()):
                if position not in self._expected and report.is_like(wanted):
                    return position, report
            return None

        try:
            position, report = self._ear.wait_for(look, f"{self.name} to hear {wanted}")
        except AssertionError as missing:
            missing.add_note("\n".join(["heard:", *map(str, self._reports())]))
            raise
        self._expected.add(position)
        return report

    def heard(self, event: str, *, source: Source, **wanted: object) -> list[Report]:
        """All reports like this so far, in their order, expected or not."""
        wanted = {"event": event, "source": source, **wanted}
        return [report for report in self._reports() if report.is_like(wanted)]

    def states(self) -> list[str]:
        """The states that the connection went through after its first, "connecting"."""
        return [report.event for report in self._reports() if report.source == "state"]

    def hear_frame(self, event: str, channel: str) -> Report:
        """Waits for a frame of the channel; pusher-js tells bindings of it before it tells us."""
        return self.expect(event, source="frame", channel=channel)

    def frames(self, channel: str) -> list[str]:
        """The events of all frames that came for the channel, of the protocol's own as well."""
        reports = self._reports()
        return [said.event for said in reports if (said.source, said.channel) == ("frame", channel)]

    def _reports(self) -> list[Report]:
        return [Report(**said) for said in self._ear.reports()]
