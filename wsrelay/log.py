"""What the log says: a line when a connection opens, one when it closes, none per message."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .core.notices import (
    ConnectionClosed,
    ConnectionDenied,
    ConnectionOpened,
    Notice,
    SubscriptionDenied,
)
from .core.ports import Observer

_log = Logger(namespace="wsrelay")


def log_notice(notice: Notice) -> None:
    """An observer that writes down what an operator wants to know."""
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
    elif isinstance(notice, ConnectionDenied):
        _log.warn(
            "{peer} refused ({code} {reason})",
            peer=notice.peer,
            code=int(notice.code),
            reason=_on_one_line(notice.reason),
        )
    elif isinstance(notice, SubscriptionDenied):
        _log.warn(
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
    """Run a coroutine to its first wait, at once; a failure of ours ends in the log."""
    Deferred.fromCoroutine(coroutine).addErrback(
        lambda failure: _log.failure("a conversation went wrong", failure)
    )
