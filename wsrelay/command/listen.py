"""``wsrelay listen``: follow channels as a client."""

from __future__ import annotations

import json
import time
from datetime import datetime
from math import inf
from typing import Any

import click

from . import outcome
from .chosen import Chosen, choosing
from .client import PATIENCE, Client, Refused, client
from .place import Unreachable
from .screen import on_one_line

#: Seconds before another attempt; twice as many each time that nothing answers.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0


@click.command()
@click.argument("channels", nargs=-1, required=True, metavar="CHANNEL...")
@click.option(
    "--user-id", default="wsrelay-listen", show_default=True, help="Who to be in presence channels."
)
@click.option("--user-info", default="null", help="What the others see of him, JSON.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line: time, event, channel, data."
)
@click.option(
    "--count",
    type=click.IntRange(1),
    help="End after so many events, not counting the protocol's own.",
)
@click.option("--seconds", type=click.FloatRange(0), help="End after so long.")
@choosing(app=True, place=True)
def listen(
    chosen: Chosen,
    channels: tuple[str, ...],
    user_id: str,
    user_info: str,
    as_json: bool,
    count: int | None,
    seconds: float | None,
) -> None:
    """Follow CHANNELs as a client, and print what is said there, until Ctrl+C.

    Private and presence channels are signed for with the configured secret. In a presence channel
    one is seen, as --user-id. Events of encrypted channels stay encrypted. When the connection is
    lost it comes back, as pusher-js does; what was said meanwhile is missed.

    Exit codes: 0 at Ctrl+C, after --count events, or after --seconds without --count; 1 refused,
    or --seconds are over before --count events came; 2 when nothing answers at the start.
    """
    try:
        info = json.loads(user_info)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="--user-info") from error
    _Listening(chosen, channels, (user_id, info), as_json, count, seconds).run()


class _Enough(Exception):
    """All that was asked for has been heard."""


class _Listening:
    def __init__(
        self,
        chosen: Chosen,
        channels: tuple[str, ...],
        user: tuple[str, Any],
        as_json: bool,
        count: int | None,
        seconds: float | None,
    ) -> None:
        self._chosen = chosen
        self._channels = channels
        self._user = user
        self._as_json = as_json
        self._left = count
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._has_been_there = False

    def run(self) -> None:
        app, place = self._chosen.one_app, self._chosen.place
        pause = FIRST_PAUSE
        while True:
            try:
                with client(place, app) as there:
                    pause = FIRST_PAUSE
                    self._note(f"connected to {place} as {there.socket_id}")
                    self._follow(there)
            except _Enough:
                return
            except Refused as refused:
                if refused.is_final:
                    outcome.fail(str(refused))
                wait = 0.0 if 4200 <= (refused.code or 0) < 4300 else pause
                self._note(f"{refused}; coming back")
            except Unreachable as error:
                if not self._has_been_there:
                    outcome.fail(str(error), outcome.DOWN)
                wait = pause
                self._note(f"{error}; trying again in {wait:g} s")
            pause = min(2 * pause, LONGEST_PAUSE)
            if self._ends is not None:
                wait = min(wait, max(0.0, self._ends - time.monotonic()))
            time.sleep(wait)
            if self._is_over():
                return

    def _follow(self, there: Client) -> None:
        self._has_been_there = True
        for channel in self._channels:
            there.subscribe(channel, self._user)
        was_asked = False
        while True:
            if self._is_over():
                raise _Enough
            patience = PATIENCE if was_asked else there.activity_timeout
            left = inf if self._ends is None else self._ends - time.monotonic()
            try:
                message = there.hear(max(0.0, min(patience, left)))
            except TimeoutError:
                if left <= patience:
                    continue
                if was_asked:
                    raise Unreachable("not even a ping was answered") from None
                there.say("pusher:ping", data={})
                was_asked = True
                continue
            was_asked = False
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event in ("pusher:ping", "pusher:pong"):
            return
        if event == "pusher:subscription_error":
            told = message.get("data")
            reason = told.get("error") if isinstance(told, dict) else told
            raise Refused(f"{message.get('channel')}: {reason}")
        if event == "pusher:error":  # before a close frame, which says the same
            self._note(f"error: {json.dumps(message.get('data'))}")
            return
        if event == "pusher_internal:subscription_succeeded":
            self._note(f"subscribed to {message.get('channel')}")
            return
        self._print(message)
        if self._left is not None and not event.startswith(("pusher:", "pusher_internal:")):
            self._left -= 1
            if not self._left:
                raise _Enough

    def _is_over(self) -> bool:
        if self._ends is None or time.monotonic() < self._ends:
            return False
        if self._left is not None:
            outcome.fail(f"{self._left} events did not come in the time that was given")
        return True

    def _print(self, message: dict[str, Any]) -> None:
        now = datetime.now().astimezone()
        data = message.get("data")
        if self._as_json:
            told = {"time": now.isoformat(timespec="milliseconds"), **message}
            click.echo(json.dumps(told))
        else:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            click.echo(
                f"{now:%H:%M:%S}.{now.microsecond // 1000:03} {message.get('channel', '-')} "
                f"{message['event']} {on_one_line(text)}"
            )

    def _note(self, text: str) -> None:
        click.echo(f"# {on_one_line(text)}", err=True)
