"""What a reload changes, what needs a restart, and that a faulty configuration changes nothing.

The whole configuration is read anew and judged before anything is touched. Then all of it changes
within one turn of the reactor, so nobody ever meets a half of it:

* new clients and requests meet the new apps, limits and origins at once, and open connections from
  their next message on; nobody is disconnected for a setting, a key or a secret that has changed;
* the connections of an app that is gone are closed with 4001, of one that is disabled with 4003;
* what is said in ``LIVE`` counts at once, certificates too; all else (where to listen, the paths)
  is left as it was and named in one warning, at every reload until the restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from msgspec import structs
from twisted.logger import Logger

from .config.resolve import ConfigurationError
from .config.settings import Settings, is_development, tls_listeners
from .core.apps import KB, App, Apps
from .core.cache import Memory
from .core.connections import Connections
from .core.errors import Code
from .core.ports import CallLater, Conversation
from .core.visitors import Visitors
from .frontdoor import FrontDoorFactory
from .listening import CannotStart
from .tls.certificates import Certificates
from .web.fastlane import FastLaneFactory
from .webhooks.messenger import Messenger
from .webhooks.sender import Sender
from .websocket.factory import RelayFactory

_log = Logger(namespace="wsrelay")

#: Settings that count from a reload on. A new setting needs a restart until it stands here.
LIVE = frozenset(
    {
        "apps",
        "connection_rate_per_ip",
        "cors_origins",
        "handshake_timeout",
        "max_body_bytes",
        "max_cache_bytes",
        "max_connections_per_ip",
        "max_waiting_bytes",
        "request_timeout",
        "webhook_private_addresses",
    }
)
#: So do these, as long as there are the same listeners.
TLS = frozenset({"tls", "tls_cert", "tls_key"})

#: What a message holds besides an event's data: event, channel, auth, channel_data. Bytes.
ROOM_AROUND_DATA = 16 * KB
#: Connections closed in one go when their app is gone.
SLICE = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """Those who go by settings that may change."""

    apps: Apps
    connections: Connections
    visitors: Visitors
    cache: Memory
    websocket: RelayFactory
    lane: FastLaneFactory
    front_door: FrontDoorFactory
    messenger: Messenger
    sender: Sender
    certificates: Certificates
    call_later: CallLater


#: What stands against taking a configuration up.
FAULTS = (ConfigurationError, CannotStart, ValueError)


def judged(
    running: Settings, asked: Settings, started_for_development: bool
) -> tuple[Settings, list[str]]:
    """What can be taken up of ``asked``, and the names of those that changed and can't be.

    Raises ``ConfigurationError`` when that would serve the development app to strangers.
    """
    changed = {
        name
        for name in Settings.__struct_fields__
        if getattr(running, name) != getattr(asked, name)
    }
    if _tls_places(running) == _tls_places(asked):
        changed -= TLS
    if is_development(asked) != started_for_development:
        if is_development(asked):
            raise ConfigurationError(
                "apps: none is left, and the development app, whose secret is public, is "
                "served only by a relay that was started on loopback for it"
            )
        if not asked.listen:
            changed.add("host")  # on all interfaces, unless it is said
    pending = sorted(changed - LIVE)
    return structs.replace(asked, **{name: getattr(running, name) for name in pending}), pending


def say_fault(fault: object) -> None:
    told = str(fault).removeprefix("wsrelay: ")
    _log.error("Reload: {fault}; nothing was changed", fault=told)


def say_pending(names: Sequence[str]) -> None:
    if names:
        _log.warn("Reload: {names} changed and will count after a restart", names=", ".join(names))


class Reloading:
    """Takes up a changed configuration; ``read`` reads all of it, as at the start."""

    def __init__(self, running: Settings, read: Callable[[], Settings], rooms: Rooms) -> None:
        self._running = running
        #: Then it listens on loopback only, whatever apps it serves by now.
        self._started_for_development = is_development(running)
        self._read = read
        self._rooms = rooms

    def reload(self) -> None:
        """Everything is taken up when this returns, or nothing, and the log says which.

        Only the farewells of an app that is gone go on for some turns of the reactor.
        """
        try:
            new, pending = judged(self._running, self._read(), self._started_for_development)
            take_up = self.prepare(new)
        except FAULTS as fault:
            say_fault(fault)
            return
        take_up()
        say_pending(pending)

    def prepare(self, new: Settings) -> Callable[[], None]:
        """Judge what ``judged`` gave, and change nothing yet; what is returned takes it up.

        Raises one of ``FAULTS``.
        """
        Apps(new.apps)
        change_over = [
            self._rooms.messenger.prepare(new.apps),
            self._rooms.certificates.prepare(tls_listeners(new)),
        ]

        def take_up() -> None:
            for change in change_over:
                change()
            self._set_limits(new)
            self._serve(new.apps)
            changed = [name for name in LIVE - {"apps"} if self._differs(name, new)]
            self._running = new
            _log.info(
                "Reload: done{changed}", changed="".join(f"; {name}" for name in sorted(changed))
            )

        return take_up

    def _differs(self, name: str, asked: Settings) -> bool:
        return bool(getattr(self._running, name) != getattr(asked, name))

    def _set_limits(self, new: Settings) -> None:
        rooms = self._rooms
        if any(
            self._differs(name, new)
            for name in ("max_connections_per_ip", "connection_rate_per_ip")
        ):
            rooms.visitors.limit(
                new.max_connections_per_ip,
                new.connection_rate_per_ip,
                (each.address for each in rooms.connections),
            )
        rooms.cache.limit(new.max_cache_bytes)
        rooms.websocket.limit(longest_message(new), new.max_waiting_bytes)
        rooms.lane.max_body_bytes = rooms.lane.slow.max_body_bytes = new.max_body_bytes
        rooms.lane.slow.cors_origins = new.cors_origins
        rooms.lane.slow.request_timeout = new.request_timeout
        rooms.front_door.handshake_timeout = new.handshake_timeout
        rooms.sender.permit_private(new.webhook_private_addresses)

    def _serve(self, apps: tuple[App, ...]) -> None:
        """Change the apps, and say what has become of each."""
        rooms = self._rooms
        before = {app.id: app for app in rooms.apps}
        rooms.apps.serve(apps)
        told = {"new": [app.id for app in apps if app.id not in before]}
        leaving: list[tuple[Conversation, Code, str]] = []
        for app_id, old in before.items():
            app = rooms.apps.with_id(app_id)
            if app == old:
                continue
            there = rooms.connections.of(app_id)
            if app is None:
                told.setdefault("gone", []).append(f"{app_id} ({len(there)} connections closed)")
                leaving += [(each, Code.APP_NOT_FOUND, "this app is gone") for each in there]
            elif not app.enabled and old.enabled:
                told.setdefault("disabled", []).append(
                    f"{app_id} ({len(there)} connections closed)"
                )
                leaving += [
                    (each, Code.APP_DISABLED, "this app is disabled (enabled = false)")
                    for each in there
                ]
            else:
                told.setdefault("changed", []).append(app_id)
            if app is not None:
                for conversation in there:
                    conversation.follow(app)
        self._dismiss(iter(leaving))
        for what, ids in told.items():
            if ids:
                _log.info(
                    "Reload: {what}: {apps}",
                    what=f"{what} app{'s' if len(ids) > 1 else ''}",
                    apps=", ".join(ids[:20]) + (", ..." if len(ids) > 20 else ""),
                )

    def _dismiss(self, leaving: Iterator[tuple[Conversation, Code, str]]) -> None:
        """Say goodbye, in slices, so that a full house does not stop the reactor."""
        these = list(islice(leaving, SLICE))
        for conversation, code, message in these:
            conversation.close(code, message)
        if len(these) == SLICE:
            self._rooms.call_later(0, lambda: self._dismiss(leaving))


def longest_message(settings: Settings) -> int:
    """Bytes of a client's message, for the app that allows the largest events."""
    return max(app.max_event_bytes for app in settings.apps) + ROOM_AROUND_DATA


def _tls_places(settings: Settings) -> list[tuple[object, ...]]:
    """What can't change of listeners: where they are, and whether proxies stand before them."""
    return [
        (each.port, each.host, each.listen, each.proxy_protocol) for each in tls_listeners(settings)
    ]
