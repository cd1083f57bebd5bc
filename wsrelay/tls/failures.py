"""What is said and counted of TLS handshakes that fail.

Every scanner of the internet makes some, so that a line for each would be the log's end; without
any, an operator whose clients refuse a certificate would look for the fault elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.logger import Logger

from ..core.notices import Tally

_log = Logger(namespace="wsrelay")

#: Seconds between two lines.
QUIET = 60.0


class Failures:
    """Counts all of them, and tells of one a minute. ``timer`` is monotonic, in seconds."""

    def __init__(self, tally: Tally, timer: Callable[[], float]) -> None:
        self._tally = tally
        self._timer = timer
        self._quiet_until = -QUIET
        self._untold = 0

    def began(self) -> None:
        """Somebody has connected."""
        self._tally.tls_handshakes += 1

    def failed(self, peer: str, error: BaseException | None) -> None:
        """He has got no further."""
        self._tally.tls_handshakes_failed += 1
        now = self._timer()
        if now < self._quiet_until:
            self._untold += 1
            return
        more = f"; so did {self._untold} more in the minutes before" if self._untold else ""
        self._untold = 0
        self._quiet_until = now + QUIET
        _log.info(
            "TLS: a handshake with {peer} failed ({reason}){more}",
            peer=peer,
            reason=reason_of(error),
            more=more,
        )


def reason_of(error: BaseException | None) -> str:
    """OpenSSL's words, or what TCP had to say."""
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return " and ".join(str(entry[-1]) for entry in error.args[0]) or "no reason given"
    if isinstance(error, ConnectionAborted):
        return "it took too long"
    if isinstance(error, ConnectionDone | ConnectionLost):
        return "the client went away"
    return type(error).__name__
