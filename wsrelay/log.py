"""What the log says: a line when a connection opens, one when it closes or is refused, none per
message."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.logger import Logger

from .core.notices import (
    ConnectionClosed,
    ConnectionDenied,
    ConnectionOpened,
    Notice,
    SubscriptionDenied,
)
from .core.ports import Observer
from .eager import begin
from .sparingly import OFTEN, Sparingly

_log = Logger(namespace="wsrelay")


def log_connection(notice: Notice) -> None:
    """An observer that writes down who comes and goes."""
    if isinstance(notice, ConnectionOpened):
        _log.info(
            "app {app}: {peer} opened {socket_id} ({client})",
            app=notice.app_id,
            peer=notice.peer,
            socket_id=notice.socket_id,
            client=_on_one_line(notice.client),
        )
    elif isinstance(notice, ConnectionClosed):
        _log.info(
            "app {app}: {peer} closed {socket_id} ({code} {reason})",
            app=notice.app_id,
            peer=notice.peer,
            socket_id=notice.socket_id,
            code=notice.code,
            reason=_on_one_line(notice.reason),
        )


class Refusals:
    """An observer that writes down who was refused, and why. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._lines = Sparingly(clock, OFTEN)

    def __call__(self, notice: Notice) -> None:
        if isinstance(notice, ConnectionDenied):
            self._lines.warn(
                "{peer} refused ({code} {reason})",
                peer=notice.peer,
                code=int(notice.code),
                reason=_on_one_line(notice.reason),
            )
        elif isinstance(notice, SubscriptionDenied):
            self._lines.warn(
                "app {app}: {socket_id} may not subscribe to {channel} ({status} {reason}); "
                "expected a signature of {expected!r}",
                app=notice.app_id,
                socket_id=notice.socket_id,
                channel=notice.channel,
                status=notice.status,
                reason=notice.reason,
                expected=notice.expected,
            )


def _on_one_line(text: str) -> str:
    """What a client wrote, without its line feeds and escapes for the operator's terminal."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def observers(*each: Observer) -> Observer:
    """One observer that tells several, in this order."""

    def tell(notice: Notice) -> None:
        for observer in each:
            observer(notice)

    return tell


def spawn(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine; a failure of ours ends in the log."""
    try:
        result = begin(coroutine)
    except Exception:
        _log.failure(_WENT_WRONG)
        return
    if result is not None:
        result.addErrback(lambda failure: _log.failure(_WENT_WRONG, failure))


_WENT_WRONG = "a conversation went wrong"
