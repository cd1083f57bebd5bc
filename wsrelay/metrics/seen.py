"""What the metrics look at, and nothing else of the running relay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Protocol

from ..core.apps import Apps
from ..core.connections import Connections
from ..core.notices import Tally
from ..core.readiness import Readiness
from ..core.relay import Relay
from .edges import Edges

#: Apps that are told of one by one, in the order in which they are configured. Each costs a few
#: time series in every scrape; a hosting company's ten thousand would stop the reactor.
MOST_APPS = 100
#: Certificates that are told of, those that end first.
MOST_CERTIFICATES = 100
#: Under which all further apps are told of together. An app's id has no space.
OTHERS = "all others"


class Webhooks(Protocol):
    """See ``webhooks/tally``."""

    sent: int
    failed: int
    dropped: int
    retried: int
    queued: int
    queued_bytes: int


class Messenger(Protocol):
    @property
    def tally(self) -> Webhooks: ...


class Writing(Protocol):
    @property
    def unwritten(self) -> int: ...


class Shown(Protocol):
    """A certificate: the hosts that it is for, and when it ends, in seconds since the epoch."""

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def expires_at(self) -> float: ...


class Certificates(Protocol):
    def in_use(self) -> Mapping[str, Shown]: ...


class Counts(Protocol):
    """Name, meaning and count of each."""

    def told(self) -> Iterable[tuple[str, str, int]]: ...


class Cluster(Protocol):
    @property
    def tally(self) -> Counts: ...


class Seen(Protocol):
    """The service."""

    tally: Tally
    edges: Edges
    apps: Apps
    connections: Connections
    relay: Relay
    readiness: Readiness

    @property
    def callers(self) -> Sized: ...

    @property
    def room(self) -> Cluster | None:
        """The way to the other nodes, if there may be any."""

    @property
    def messenger(self) -> Messenger: ...

    @property
    def websocket(self) -> Writing: ...

    @property
    def certificates(self) -> Certificates: ...

    def listening(self) -> Sequence[str]: ...


def by_app(seen: Seen, counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """A count for each app that is told of, zeros included, and one for all others.

    Those are further apps, and apps that are configured no more.
    """
    told = dict.fromkeys(told_apps(seen.apps), 0)
    for app_id, count in counts:
        name = app_id if app_id in told else OTHERS
        told[name] = told.get(name, 0) + count
    return told


def told_apps(apps: Apps) -> list[str]:
    """The ids that are told one by one, and ``OTHERS`` if there are more."""
    ids = [app.id for app, _ in zip(apps, range(MOST_APPS), strict=False)]
    return ids if len(ids) == len(apps) else [*ids, OTHERS]


def soonest(certificates: Certificates) -> list[tuple[str, Shown]]:
    """The certificates in use by the path of their file, those that end first."""
    shown = sorted(certificates.in_use().items(), key=lambda each: each[1].expires_at)
    return shown[:MOST_CERTIFICATES]
