"""What comes and goes, counted from the notices."""

from __future__ import annotations

from ..core.errors import Code
from ..core.notices import (
    ConnectionClosed,
    ConnectionDenied,
    ConnectionOpened,
    Notice,
    SubscriptionDenied,
)

#: The codes of close frames that mean something; clients may send any other (RFC 6455, 7.4).
KNOWN_CODES = frozenset((*range(1000, 1016), *map(int, Code)))
#: Under which all others are counted, so that no client makes new time series.
OTHER = "other"
#: Counted from the start, so that the first one is seen as an increase from none.
_USUAL_ENDS = ("1000", "1001", "1005", "1006", "4100", "4200", "4201", OTHER)
_REFUSALS = tuple(str(int(code)) for code in Code if code <= Code.OVER_CAPACITY)


class Edges:
    """An observer that keeps nothing but numbers."""

    def __init__(self) -> None:
        #: Connections that were admitted, by app.
        self.opened: dict[str, int] = {}
        #: Connections that were admitted and are gone, by the code of their end.
        self.closed = dict.fromkeys(_USUAL_ENDS, 0)
        #: Connections that were refused, by the code that they were told.
        self.refused = dict.fromkeys(_REFUSALS, 0)
        #: Subscriptions that were refused, by their status.
        self.subscriptions_refused: dict[str, int] = {}

    def __call__(self, notice: Notice) -> None:
        if isinstance(notice, ConnectionOpened):
            _count(self.opened, notice.app_id)
        elif isinstance(notice, ConnectionClosed):
            code = notice.code
            _count(self.closed, str(int(code)) if code in KNOWN_CODES else OTHER)
        elif isinstance(notice, ConnectionDenied):
            _count(self.refused, str(int(notice.code)))
        elif isinstance(notice, SubscriptionDenied):
            _count(self.subscriptions_refused, str(notice.status))


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1
