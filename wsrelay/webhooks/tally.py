"""Counters of what became of deliveries, for the metrics."""

from __future__ import annotations


class WebhookTally:
    """Plain integers. A delivery is one request, with one event or a batch of them.

    ``sent``, ``failed`` and ``dropped`` only rise, and every delivery ends as one of the three;
    ``queued`` and ``queued_bytes`` are what waits now.
    """

    __slots__ = ("dropped", "failed", "queued", "queued_bytes", "retried", "sent")

    def __init__(self) -> None:
        #: Accepted with a 2xx status.
        self.sent = 0
        #: Attempts that failed and are made again.
        self.retried = 0
        #: Given up, because the receiver accepted them neither at once nor later.
        self.failed = 0
        #: Thrown away untried or between two attempts, because too many waited.
        self.dropped = 0
        self.queued = 0
        self.queued_bytes = 0
