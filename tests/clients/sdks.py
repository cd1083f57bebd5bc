"""The clients of the tests: one pusher-js or laravel-echo each, in a Node process or in a tab.

A method does what the library's method of that name does. What a client hears is kept in its order:
``expect`` waits for a report, ``heard`` lists those so far. To show that something did not arrive,
expect a later event on the same connection, then look at ``heard``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from tests.clients.program import Program
from tests.clients.relay import Relay

Found = TypeVar("Found")
Unique = Callable[[str], str]  # what the fixture `unique` gives
Source = Literal["channel", "echo", "frame", "state", "error"]


@dataclass(frozen=True)
class Report:
    """What a client heard.

    ``source`` says from whom: a binding of a channel ("channel" in pusher-js, "echo" in Echo), the
    message of each frame ("frame"), the connection's new "state", or an "error" of it.
    """

    source: Source
    event: str
    channel: str | None = None
    data: Any = None
    user_id: str | None = None
    tab: str | None = None

    def is_like(self, wanted: Mapping[str, object]) -> bool:
        return all(getattr(self, name) == value for name, value in wanted.items())


class Home(Protocol):
    """Where one client lives: a Node process, which is a Program of its own, or a Tab."""

    def ask(self, do: str, **arguments: object) -> Any: ...
    def reports(self) -> Sequence[Mapping[str, Any]]: ...
    def wait_for(self, look: Callable[[], Found | None], wanted: str) -> Found: ...
    def vanish(self) -> None: ...
    def close(self) -> None: ...


class Tab:
    """A tab of the browser that ``js/chromium.mjs`` drives."""

    _numbers = itertools.count(1)

    def __init__(self, browser: Program) -> None:
        self._browser = browser
        self._name = f"tab {next(self._numbers)}"
        self._is_open = True
        self.ask("open_tab")

    def ask(self, do: str, **arguments: object) -> Any:
        return self._browser.ask(do, tab=self._name, **arguments)

    def reports(self) -> Sequence[Mapping[str, Any]]:
        return [said for said in self._browser.reports() if said["tab"] == self._name]

    def wait_for(self, look: Callable[[], Found | None], wanted: str) -> Found:
        return self._browser.wait_for(look, wanted)

    def vanish(self) -> None:
        self._end("crash_tab")

    def close(self) -> None:
        self._end("close_tab")

    def _end(self, how: str) -> None:
        if self._is_open:
            self._is_open = False
            self.ask(how)


class Client:
    """What clients of both libraries have in common; ``name`` is the user's, for messages."""

    def __init__(self, home: Home, name: str) -> None:
        self.home = home
        self.name = name
        self._expected: set[int] = set()

    @property
    def socket_id(self) -> str:
        said = self.home.ask("socketId")
        assert isinstance(said, str)
        return said

    def expect(self, event: str, *, source: Source, **wanted: object) -> Report:
        """The first report like this that was not expected before; waits for it."""
        wanted = {"event": event, "source": source, **wanted}

        def look() -> tuple[int, Report] | None:
            for position, report in enumerate(self._reports()):
                if position not in self._expected and report.is_like(wanted):
                    return position, report
            return None

        try:
            position, report = self.home.wait_for(look, f"{self.name} to hear {wanted}")
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

    def vanish(self) -> None:
        """Ends as in a crash: the socket goes away without a close frame."""
        self.home.vanish()

    def _reports(self) -> list[Report]:
        return [Report(**said) for said in self.home.reports()]


class PusherJs(Client):
    """A client of pusher-js."""

    def connect(self, key: str, options: Mapping[str, object]) -> None:
        self.home.ask("connect", library="pusher-js", key=key, options=options)

    def subscribe(self, channel: str, *events: str) -> Any:
        """Binds the events and returns what "pusher:subscription_succeeded" came with."""
        self.home.ask("subscribe", channel=channel, events=events)
        return self.hear("pusher:subscription_succeeded", channel).data

    def refusal(self, channel: str) -> Any:
        """Subscribes where it must fail, and returns what "pusher:subscription_error" came with."""
        self.home.ask("subscribe", channel=channel, events=[])
        return self.hear("pusher:subscription_error", channel).data

    def unsubscribe(self, channel: str) -> None:
        self.home.ask("unsubscribe", channel=channel)

    def trigger(self, channel: str, event: str, data: object) -> None:
        assert self.home.ask("trigger", channel=channel, event=event, data=data) is True

    def send(self, event: str, data: object, channel: str | None = None) -> None:
        """Sends an event of any name, which ``trigger`` would refuse."""
        assert self.home.ask("send", event=event, data=data, channel=channel) is True

    def members(self, channel: str) -> Any:
        """The channel's ``members`` as pusher-js holds them now: count, members, me, myID."""
        return self.home.ask("members", channel=channel)

    def reconnect(self) -> None:
        self.home.ask("reconnect")

    def disconnect(self) -> None:
        self.home.ask("disconnect")

    def hear(self, event: str, channel: str) -> Report:
        """Waits for the event on a binding of the channel."""
        return self.expect(event, source="channel", channel=channel)

    def has_heard(self, event: str, channel: str) -> list[Any]:
        """The data of every such event so far."""
        return [report.data for report in self.heard(event, source="channel", channel=channel)]


class LaravelEcho(Client):
    """A client of laravel-echo; ``how`` is Echo's method: "channel", "private" or "join"."""

    def connect(self, library: str, options: Mapping[str, object]) -> None:
        self.home.ask("connect", library=library, options=options)

    def open(self, how: str, channel: str, *events: str, whispers: Sequence[str] = ()) -> None:
        """Listens on the channel, and waits until Echo calls it subscribed."""
        self.home.ask("open", how=how, channel=channel, events=events, whispers=whispers)
        self.hear("subscribed", channel)

    def refusal(self, how: str, channel: str) -> Any:
        """Opens a channel where it must fail, and returns what Echo's ``error`` is called with."""
        self.home.ask("open", how=how, channel=channel, events=[], whispers=[])
        return self.hear("error", channel).data

    def whisper(self, how: str, channel: str, event: str, data: object) -> None:
        self.home.ask("whisper", how=how, channel=channel, event=event, data=data)

    def leave(self, channel: str) -> None:
        self.home.ask("leave", channel=channel)

    def disconnect(self) -> None:
        self.home.ask("disconnect")

    def hear(self, event: str, channel: str) -> Report:
        """Waits for a callback: a listened event, "whisper NAME", "here", "joining", "leaving"."""
        return self.expect(event, source="echo", channel=channel)

    def has_heard(self, event: str, channel: str) -> list[Any]:
        """What every such callback was called with so far."""
        return [report.data for report in self.heard(event, source="echo", channel=channel)]


NewPusherJs = Callable[..., PusherJs]  # what the fixture `pusher_js` gives
NewEcho = Callable[..., LaravelEcho]  # what the fixture `echo` gives


def address(relay: Relay) -> dict[str, object]:
    """The options by which pusher-js and Echo find a server of one's own."""
    return {
        "cluster": "mt1",
        "wsHost": relay.host,
        "wsPort": relay.port,
        "wssPort": relay.port,
        "forceTLS": False,
        "enabledTransports": ["ws", "wss"],
        "disableStats": True,
    }
