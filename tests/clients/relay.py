"""The server under test: where it listens, for which app, and how one is started."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Condition, Thread

from tests.clients.program import DEADLINE


@dataclass(frozen=True)
class App:
    """The credentials of one app; ``key`` is public, ``secret`` signs."""

    id: str
    key: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> App:
        """From ``ID:KEY:SECRET``."""
        return cls(*text.split(":", 2))


# `pusher` on PyPI takes digits only for an app id.
OWN_APP = App("1001", "test-key", "test-secret")


@dataclass(frozen=True)
class Relay:
    """A server that listens, and the app that the tests may use on it."""

    host: str
    port: int
    app: App

    def with_app(self, **changes: str) -> Relay:
        """The same server, with other credentials than it knows."""
        return replace(self, app=replace(self.app, **changes))


def elsewhere(environment: Mapping[str, str] = os.environ) -> Relay | None:
    """The server that the environment points to; None: one is to be started."""
    port = environment.get("WSRELAY_TEST_PORT")
    if port is None:
        return None
    host = environment.get("WSRELAY_TEST_HOST", "127.0.0.1")
    app = environment.get("WSRELAY_TEST_APP")
    return Relay(host, int(port), App.parse(app) if app else OWN_APP)


def configures(name: str) -> bool:
    """Whether the server would take a variable of the environment for a setting of its own."""
    return name.startswith(("WSRELAY_", "WEBSOCKET_", "PUSHER_", "REVERB_"))


def toml(apps: Mapping[App, Mapping[str, object]]) -> str:
    """A configuration file that has these apps, each with its settings."""
    lines = []
    for app, settings in apps.items():
        lines.append("[[apps]]")
        values = {"id": app.id, "key": app.key, "secret": app.secret, **settings}
        lines += [f"{name} = {_toml_value(value)}" for name, value in values.items()]
    return "\n".join([*lines, ""])


def _toml_value(value: object) -> str:
    """All but tables is written alike in JSON and in TOML."""
    if isinstance(value, Mapping):
        pairs = [f"{name} = {_toml_value(each)}" for name, each in value.items()]
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return json.dumps(value)


class OwnServer:
    """``twistd -n wsrelay`` on a free port, with all that it has logged.

    ``configuration`` is the text of its file; without any it has OWN_APP. ``options`` of the
    command line count more.
    """

    def __init__(self, cwd: Path, configuration: str | None = None, *options: str) -> None:
        self._changed = Condition()
        self._log: list[str] = []
        self._seen = 0
        self._has_ended = False
        file = cwd / "wsrelay.toml"
        file.write_text(toml({OWN_APP: {}}) if configuration is None else configuration)
        self._process = subprocess.Popen(
            [
                Path(sys.executable).with_name("twistd"),
                *("--nodaemon", "--pidfile=", "wsrelay", "--port", "0", "--config", file),
                *options,
            ],
            cwd=cwd,
            env={
                **{name: os.environ[name] for name in os.environ if not configures(name)},
                "WSRELAY_METRICS_PORT": "0",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def relay(self, app: App = OWN_APP) -> Relay:
        """Where it listens, once its log says so; AssertionError with the log if it never does."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_ended or self._port(), DEADLINE)
            if port := self._port():
                return Relay("127.0.0.1", port, app)
        raise AssertionError("the server never said where it listens:\n" + self.text())

    def text(self) -> str:
        """All that it has logged."""
        return "".join(self._log)

    def logged_since(self) -> str:
        """What it has logged since this was asked last."""
        since, self._seen = self._seen, len(self._log)
        return "".join(self._log[since : self._seen])

    def stop(self) -> int:
        """Asks it to end as an init system does, and returns its exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            self._reader.join()

    def _port(self) -> int | None:
        found = re.search(r"Listening on \S*?:(\d+)\b(?!:)", self.text())
        return int(found[1]) if found else None

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as log:
            for line in log:
                with self._changed:
                    self._log.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()
