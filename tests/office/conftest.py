from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.clients.packages import HERE as CLIENTS
from tests.clients.packages import install, tool
from tests.clients.program import Program
from tests.clients.relay import configures
from tests.ports import free_port

HERE = Path(__file__).parent
RUN = HERE.parents[1] / "examples" / "virtual-office" / "run"

RULES = ("newest", "directed", "snapshot", "proximity")

#: Seconds within which anything has to happen that a test waits for.
DEADLINE = 90.0


class Office:
    """The example, started as its README says, on free ports."""

    def __init__(self, home: Path, **more: str) -> None:
        self._port, self.relay_port = free_port(), free_port()
        self._log = home / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [RUN],
                cwd=home,
                env={
                    **{name: os.environ[name] for name in os.environ if not configures(name)},
                    "PYTHON": sys.executable,
                    "OFFICE_PORT": str(self._port),
                    "WSRELAY_PORT": str(self.relay_port),
                    "WSRELAY_METRICS_PORT": "0",
                    **more,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_for(f"{self.address}/office.json")
        self._wait_for(f"http://127.0.0.1:{self.relay_port}/up")

    @property
    def address(self) -> str:
        return f"http://localhost:{self._port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _wait_for(self, url: str) -> None:
        ends = time.monotonic() + DEADLINE
        while self._process.poll() is None and time.monotonic() < ends:
            try:
                urlopen(url, timeout=5).close()
            except (URLError, TimeoutError):
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"nobody answers at {url}:\n{self.log}", pytrace=False)

    def switch_on(self, rules: Sequence[str]) -> None:
        """Has everybody in the office move to the room with these rules."""
        body = json.dumps({"on": rules, "by": "the tests"}).encode()
        urlopen(f"{self.address}/switches", body, timeout=DEADLINE).close()

    def close(self) -> int:
        """Ctrl+C, which reaches every process of the terminal; the exit status of ``run``."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        try:
            return self._process.wait(DEADLINE)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)


class Visitor:
    """Somebody in the office, with a browser of his own."""

    def __init__(self, browser: Program, office: Office, name: str, x: int, y: int) -> None:
        self.name = name
        self._browser = browser
        browser.ask("visit", url=f"{office.address}/?name={name}&x={x}&y={y}")

    def look(self, script: str) -> Any:
        """The value of a JavaScript expression in his page."""
        return self._browser.ask("evaluate", script=script)

    def sees(self, script: str) -> None:
        """Waits until it is true in his page."""
        ends = time.monotonic() + DEADLINE
        while not self._browser.ask("becomes", script=script, seconds=5):
            assert time.monotonic() < ends, f"{self.name} never saw {script}"

    def click(self, selector: str) -> None:
        self._browser.ask("click", selector=selector)

    def chat(self, text: str) -> None:
        self._browser.ask("type", selector="#say input", text=text)

    def drag(self, x: int, y: int) -> None:
        self._browser.ask("drag", x=x, y=y)

    def walk(self, key: str, milliseconds: int) -> None:
        self._browser.ask("hold", key=key, milliseconds=milliseconds)

    def switch_on(self, *kinds: str) -> None:
        for kind in kinds:
            self.click(f"#{kind}")
            self.sees(f"office.media.isOn('{kind}')")

    def sees_and_hears(self, other: Visitor) -> None:
        """Waits for pictures that were decoded and sound that has energy, both new.

        Chromium's microphone gains about 0.25 a second by its beeps, and 0 when it is off.
        """
        before = self.look(f"received('{other.name}')")
        self.sees(
            f"received('{other.name}').then(({{ frames, energy }}) => "
            f"frames >= {before['frames'] + 10} && energy >= {before['energy'] + 0.1})"
        )

    def has_no_call_with(self, other: Visitor) -> bool:
        return bool(self.look(f"!connection('{other.name}')"))


@pytest.fixture(scope="session")
def chromium() -> str:
    if shutil.which("chromium") is None and not os.environ.get("CI"):
        pytest.skip("chromium is missing: apt-get install chromium")
    return tool("chromium")


@pytest.fixture(scope="module")
def office(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with closing(Office(tmp_path_factory.mktemp("office"))) as office:
        yield office
    assert "Traceback" not in office.log, office.log


class Visits:
    """Who is in the office: ``visit("ada", 300, 500)`` brings her in, to stand there."""

    def __init__(self, office: Office, idle: list[Program], new_browser: Callable[[], Program]):
        self._office = office
        self._idle = idle
        self._new_browser = new_browser
        self._inside: dict[Visitor, Program] = {}

    def __call__(self, name: str, x: int, y: int) -> Visitor:
        browser = self._idle.pop() if self._idle else self._new_browser()
        visitor = Visitor(browser, self._office, name, x, y)
        self._inside[visitor] = browser
        return visitor

    def crash(self, visitor: Visitor) -> None:
        """SIGKILL for all processes of his browser."""
        with closing(self._inside.pop(visitor)) as browser:
            browser.ask("crash")

    def end(self) -> None:
        errors = []
        for browser in self._inside.values():
            errors += browser.ask("leave")
            self._idle.append(browser)
        assert errors == []


@pytest.fixture(scope="module")
def browsers(chromium: str) -> Iterator[tuple[list[Program], Callable[[], Program]]]:
    """Those that run and have no visitor, and a way to one more."""
    install()
    script: list[str | Path] = [tool("node"), HERE / "browser.mjs", chromium, CLIENTS]
    with ExitStack() as stack:
        yield [], lambda: stack.enter_context(closing(Program(script, cwd=HERE, deadline=DEADLINE)))


@pytest.fixture
def visit(
    office: Office, browsers: tuple[list[Program], Callable[[], Program]]
) -> Iterator[Visits]:
    office.switch_on(RULES)
    visits = Visits(office, *browsers)
    yield visits
    visits.end()
