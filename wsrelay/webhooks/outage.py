"""What the log says of a receiver in trouble: one line when it begins, one when it is over."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

_log = Logger(namespace="wsrelay")


class Outage:
    """Told of every attempt; speaks of the first that fails, and when all is well again."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        """``name`` is that of the target, fit for the log."""
        self._name = name
        self._clock = clock
        self._since: float | None = None
        self._is_dropping = False
        self._failed = 0
        self._dropped = 0

    def failing(self, reason: str) -> None:
        """An attempt failed and will be made again."""
        if self._since is None:
            self._since = self._clock()
            _log.warn(
                "{name} {reason}; every event is tried again for 5 minutes",
                name=self._name,
                reason=reason,
            )

    def failed(self, reason: str) -> None:
        """A delivery was given up."""
        self.failing(reason)
        self._failed += 1

    def dropped(self, limit: str) -> None:
        """A delivery was thrown away; ``limit`` says why."""
        if self._since is None:
            self._since = self._clock()
        if not self._is_dropping:
            self._is_dropping = True
            _log.warn(
                "{name} falls behind ({limit}): the oldest are dropped",
                name=self._name,
                limit=limit,
            )
        self._dropped += 1

    def over(self) -> None:
        """A delivery was accepted, and none waits for another attempt."""
        if self._since is not None:
            self._sum_up(
                "{name} accepts again after {seconds:.0f} s; {failed} given up, {dropped} dropped"
            )

    def ended(self, when: str) -> None:
        """Nothing is sent to it any more: ``the relay stopped``."""
        if self._since is not None:
            self._sum_up(
                f"{{name}} was in trouble for {{seconds:.0f}} s when {when}; "
                "{failed} given up, {dropped} dropped"
            )

    def _sum_up(self, text: str) -> None:
        assert self._since is not None
        _log.warn(
            text,
            name=self._name,
            seconds=self._clock() - self._since,
            failed=self._failed,
            dropped=self._dropped,
        )
        self._since = None
        self._is_dropping = False
        self._failed = self._dropped = 0
