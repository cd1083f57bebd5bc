"""What every session of a server has around it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ..core.apps import Apps
from ..core.connections import Connections
from ..core.ports import CallLater, Observer
from ..core.relay import Relay
from ..core.signins import SignIns
from ..core.visitors import Visitors
from .counting import Counting

Spawn = Callable[[Coroutine[Any, Any, None]], None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The hall and the means of time, shared by all sessions."""

    apps: Apps
    relay: Relay
    signins: SignIns
    counting: Counting
    connections: Connections
    visitors: Visitors
    observer: Observer
    #: Runs a coroutine up to its first wait, at once.
    spawn: Spawn
    #: Monotonic, in seconds.
    clock: Callable[[], float]
    call_later: CallLater
