"""What the end points have at hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..core.apps import App, Apps
from ..core.connections import Connections
from ..core.readiness import Readiness
from ..core.relay import Relay
from ..core.signins import SignIns
from .exchange import Answer, Request
from .quota import Quotas


@dataclass(frozen=True, slots=True)
class Desk:
    """The hall, as far as backends may ask it."""

    apps: Apps
    relay: Relay
    signins: SignIns
    connections: Connections
    quotas: Quotas
    readiness: Readiness
    #: Unix time in seconds.
    now: Callable[[], float]


#: Answers one kind of request; the text is the part of the path that names something.
EndPoint = Callable[[Desk, App, Request, str], Awaitable[Answer]]
