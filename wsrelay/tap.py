"""The plugin's options, and the one place that takes the reactor."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from .config.cores import workers_of
from .config.resolve import ConfigurationError, Given, reader, resolve
from .logfile import file_of, reopen
from .logform import observer_for
from .service import NO_PART, RelayService
from .workers.parent import WorkersService


class Options(usage.Options):
    """Options of ``twistd wsrelay``. They win over the environment, which wins over the file."""

    synopsis = "[options]"
    longdesc = (
        "A WebSocket relay that speaks the Pusher Channels protocol. Without any configuration "
        "it runs the development app local-app-id / local-key / local-secret on loopback."
    )
    optParameters = [
        ["port", "p", None, "TCP port for sockets and the HTTP API [6001]"],
        ["host", None, None, "Address to listen on [all interfaces]"],
        ["config", "c", None, "Configuration file (TOML)"],
        ["laravel-env", None, None, "A Laravel app's .env: its app and port are used"],
        ["client-events", None, None, "Who may whisper: members, all or off [members]"],
        ["client-event-rate", None, None, "Client events a second and connection, 0: any [10]"],
        ["tls-port", None, None, "TCP port of TLS, with --tls-cert and --tls-key [6443]"],
        ["tls-cert", None, None, "Certificate and chain (PEM), such as fullchain.pem"],
        ["tls-key", None, None, "The certificate's private key (PEM)"],
        ["drain", None, None, "Seconds to send clients to the successor when stopping [5]"],
        ["log-format", None, None, "text or json [text]"],
        ["metrics-port", None, None, "TCP port of metrics and status, 0: none [9601]"],
        [
            "redis",
            None,
            None,
            "Redis of several nodes: redis://HOST:PORT [none]",
        ],
        ["workers", None, None, "Processes, with --redis: a number, or auto: one a core [1]"],
        ["echo-path", None, None, "Path that echoes messages, for conformance suites [none]"],
    ]
    optFlags = [
        ["reuse-port", None, "Share the port with other processes of the same user"],
        ["deflate", None, "Compress messages for clients that can read them compressed"],
    ]
    compData = usage.Completions(
        optActions={
            "config": usage.CompleteFiles("*.toml"),
            "laravel-env": usage.CompleteFiles(),
            "tls-cert": usage.CompleteFiles("*.pem"),
            "tls-key": usage.CompleteFiles("*.pem"),
            "client-events": usage.CompleteList(["members", "all", "off"]),
            "log-format": usage.CompleteList(["text", "json"]),
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.listen: list[str] = []
        self.apps: list[str] = []

    def opt_listen(self, endpoint: str) -> None:
        """A Twisted endpoint to listen on, such as unix:/run/wsrelay.sock. May be repeated."""
        self.listen.append(endpoint)

    def opt_app(self, credentials: str) -> None:
        """An app as ID:KEY:SECRET. May be repeated."""
        self.apps.append(credentials)

    def given(self) -> Given:
        """What was said on the command line, and nothing else."""
        return Given(
            config=self["config"],
            laravel_env=self["laravel-env"],
            apps=tuple(self.apps),
            client_events=self["client-events"],
            client_event_rate=self["client-event-rate"],
            settings={
                name: value
                for name, value in {
                    "port": self["port"],
                    "host": self["host"],
                    "listen": tuple(self.listen) or None,
                    "tls_port": self["tls-port"],
                    "tls_cert": self["tls-cert"],
                    "tls_key": self["tls-key"],
                    "drain": self["drain"],
                    "reuse_port": bool(self["reuse-port"]) or None,
                    "log_format": self["log-format"],
                    "deflate": bool(self["deflate"]) or None,
                    "metrics_port": self["metrics-port"],
                    "redis": self["redis"],
                    "workers": self["workers"],
                    "echo_path": self["echo-path"],
                }.items()
                if value is not None
            },
        )

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line; a mistake ends the start with one line."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"wsrelay: {error}; see: twistd wsrelay --help") from error

    def postOptions(self) -> None:
        """Read the whole configuration, so that a mistake is told before anything starts."""
        try:
            self.settings = resolve(self.given(), os.environ)
            self.read = reader(self.given(), os.environ)
        except ConfigurationError as error:
            raise SystemExit(f"wsrelay: {error}") from error


def makeService(options: Options) -> IService:
    """What ``twistd`` and ``twist`` run."""
    from twisted.internet import reactor

    observer = observer_for(options.parent, options.settings.log_format)
    many = workers_of(options.settings)
    relay: RelayService | WorkersService
    if many > 1:
        relay = WorkersService(
            options.settings, many, reactor, observer, options.read, partial(_give_up, reactor)
        )
        # What a worker would refuse is refused here, before anything is started, and once.
        RelayService(options.settings, reactor, part=NO_PART)
    else:
        relay = RelayService(options.settings, reactor, observer, options.read)
    _reload_on_hangup(reactor, relay)
    _reopen_on_usr1(reactor, observer)
    reactor.addSystemEventTrigger("before", "shutdown", _end_at_the_next_signal, reactor, relay)
    return relay


def _reopen_on_usr1(reactor: Any, observer: Any) -> None:
    """SIGUSR1 means that the log file has been renamed; Twisted's own answer is another."""
    log = file_of(observer)
    if log is not None:
        signal.signal(signal.SIGUSR1, lambda number, frame: reactor.callFromThread(reopen, log))


def _give_up(reactor: Any) -> None:
    """Stop, and let whoever started this see that it failed. ``twistd`` (26.10) has no way to."""
    atexit.register(os._exit, 1)
    reactor.stop()


def _reload_on_hangup(reactor: Any, relay: RelayService | WorkersService) -> None:
    """SIGHUP means to reload, unless it comes because the terminal was closed."""
    is_in_terminal = os.isatty(0)

    def hung_up(number: int, frame: object) -> None:
        has_lost_terminal = is_in_terminal and not os.isatty(0)
        reactor.callFromThread(reactor.stop if has_lost_terminal else relay.reload)

    signal.signal(signal.SIGHUP, hung_up)


def _end_at_the_next_signal(reactor: Any, relay: RelayService | WorkersService) -> None:
    """The first signal stopped the reactor; the next one ends the waiting for clients."""

    def signalled(number: int, frame: object) -> None:
        reactor.callFromThread(relay.stopping.hurry)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signalled)
