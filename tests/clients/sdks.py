"""The JavaScript clients: one pusher-js or laravel-echo each, in a Node process or in a tab.

A method does what the library's method of that name does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tests.clients.listening import Ear, Found, Listener, Report
from tests.clients.program import Program
from tests.clients.relay import Relay

Unique = Callable[[str], str]  # what the fixture `unique` gives


class Home(Ear, Protocol):
    """Where one client lives: a Node process, which is a Program of its own, or a Tab."""

    def ask(self, do: str, **arguments: object) -> Any: ...
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


class Client(Listener):
    """What clients of both JavaScript libraries have in common."""

    def __init__(self, home: Home, name: str) -> None:
        super().__init__(home, name)
        self.home = home

    @property
    def socket_id(self) -> str:
        said = self.home.ask("socketId")
        assert isinstance(said, str)
        return said

    def sign_in(self, *events: str) -> None:
        """Binds the events to the user, signs in, and waits until the server has agreed."""
        self.home.ask("signIn", events=events)
        self.expect("pusher:signin_success", source="frame")

    def hear_as_user(self, event: str) -> Any:
        """Waits for an event that was sent to the user, and returns its data."""
        return self.expect(event, source="user").data

    def expect_goodbye(self, code: int) -> str:
        """Waits until it is told this code, and stops for good as it does for 4000 to 4099.

        Returns the server's words.
        """
        told = self.expect("error", source="error").data
        told = told.get("error", told)["data"]  # in "error" if it came before the connection stood
        assert told["code"] == code, told
        self.expect("disconnected", source="state")
        return str(told["message"])

    def disconnect(self) -> None:
        self.home.ask("disconnect")

    def vanish(self) -> None:
        """Ends as in a crash: the socket goes away without a close frame."""
        self.home.vanish()


class PusherJs(Client):
    """A client of pusher-js."""

    def connect(self, build: str, key: str, options: Mapping[str, object]) -> None:
        self.home.ask("connect", build=build, key=key, options=options)

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

    def hear(self, event: str, channel: str) -> Report:
        """Waits for the event on a binding of the channel."""
        return self.expect(event, source="channel", channel=channel)

    def has_heard(self, event: str, channel: str) -> list[Any]:
        """The data of every such event so far."""
        return [report.data for report in self.heard(event, source="channel", channel=channel)]


class LaravelEcho(Client):
    """A client of laravel-echo.

    ``how`` is Echo's method: "channel", "private", "encryptedPrivate" or "join".
    """

    def connect(self, build: str, library: str, options: Mapping[str, object]) -> None:
        self.home.ask("connect", build=build, library=library, options=options)

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
