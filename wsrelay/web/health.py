"""Is the server alive, and may it be given traffic? For load balancers and process managers."""

from __future__ import annotations

from .desk import Desk
from .exchange import Answer, answer, refusal

_OK = Answer(200, b"OK", "text/plain; charset=utf-8")
_UP = answer({"health": "OK"})
_READY = answer({"ready": True})
#: Seconds after which it is worth asking again: a start takes less, a reconnection about as long.
RETRY_AFTER = 1


def root(desk: Desk) -> Answer:
    return _OK


def up(desk: Desk) -> Answer:
    """It answers, so it is alive; the words are Reverb's."""
    return _UP


def ready(desk: Desk) -> Answer:
    """200, or 503 with everything that speaks against sending anybody here."""
    reasons = desk.readiness.reasons
    if not reasons:
        return _READY
    return refusal(503, "; ".join(reasons), (("Retry-After", str(RETRY_AFTER)),))
