"""Autobahn's test suite against the echo of a running relay.

``kosoku`` has the suite's own case files under Python 3. For each way to speak to a relay there is
a relay, and a process that drives the cases (``driver.py``); two of these pairs run at a time.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.stories.processes import environment, running
from tests.tls.authority import Authority

#: Seconds for one case. The longest takes ten on a machine that has little else to do.
DEADLINE = 150.0

#: Cases whose outcome the suite leaves open, because RFC 6455 does.
LEFT_OPEN = frozenset(("7.1.6", "7.13.1", "7.13.2"))
#: Sections about compression (RFC 7692), of 18 cases each, with a thousand messages a case.
ABOUT_COMPRESSION = re.compile(r"1[23]\.")
#: Of these sections' cases, those whose messages are short: up to 8 KiB, whole and in fragments.
#: In the others they have up to 128 KiB, and a case takes up to ten seconds.
SHORT_ONES = frozenset(map(str, (1, 2, 3, 4, 5, 6, 11)))

#: The name on the certificate.
HOST = "relay.example"
HERE = Path(__file__).parent


class Way(NamedTuple):
    """How the relay is spoken to."""

    tls: bool
    deflate: bool

    def __str__(self) -> str:
        return ("wss" if self.tls else "ws") + (" with deflate" if self.deflate else "")


#: Those first that take longest.
WAYS = (Way(False, True), Way(True, True), Way(False, False), Way(True, False))


class Verdict(NamedTuple):
    """What the suite says of one case, tried in one way."""

    way: Way
    case: str
    behavior: str
    closing: str
    why: str

    @property
    def is_right(self) -> bool:
        if not self.way.deflate and is_about_compression(self.case):
            return self.behavior == "UNIMPLEMENTED"  # and nothing is said of how it closes
        right = {"OK", "INFORMATIONAL"} if self.case in LEFT_OPEN else {"OK"}
        return {self.behavior, self.closing} <= right

    @property
    def outcome(self) -> str:
        """In the suite's words: how it behaved, or else how it closed."""
        return self.behavior if self.behavior != "OK" else self.closing


def is_about_compression(case: str) -> bool:
    return ABOUT_COMPRESSION.match(case) is not None


def is_slow(case: str) -> bool:
    return is_about_compression(case) and case.rpartition(".")[2] not in SHORT_ONES


def all_cases() -> list[str]:
    """The names of the 517 cases."""
    return [line["case"] for line in driver()]


def run(
    ways: Sequence[Way],
    cases: Callable[[Way], Sequence[str]],
    reports: Path,
    told: Callable[[Verdict], None] = lambda verdict: None,
) -> dict[Way, list[Verdict]]:
    """Try ``cases`` in each way, and tell of each as it ends.

    kosoku's pages are left in a directory of ``reports`` for each way. Raises ``AssertionError``
    when a driver ends before its cases have, and when a relay logged a failure.
    """
    ended: SimpleQueue[Verdict | None] = SimpleQueue()

    def try_all(way: Way) -> None:
        try:
            _run(way, cases(way), reports / str(way).replace(" ", "-"), ended.put)
        finally:
            ended.put(None)

    verdicts: dict[Way, list[Verdict]] = {way: [] for way in ways}
    with ThreadPoolExecutor(2) as workers:
        running_ones = [workers.submit(try_all, way) for way in ways]
        rest = len(running_ones)
        while rest:
            verdict = ended.get()
            if verdict is None:
                rest -= 1
                continue
            verdicts[verdict.way].append(verdict)
            told(verdict)
        for one in running_ones:
            one.result()
    return verdicts


def _run(way: Way, cases: Sequence[str], reports: Path, told: Callable[[Verdict], None]) -> None:
    reports.mkdir(parents=True)
    begun, ended = set(), set()
    with _echo(way, reports) as port:
        url = f"ws://127.0.0.1:{port}/echo"
        for line in driver(url, str(DEADLINE), str(reports), *cases):
            if "begun" in line:
                begun.add(line["begun"])
                continue
            told(Verdict(way, **line))
            ended.add(line["case"])
    assert ended == set(cases), f"{way}: the driver went in {sorted(begun - ended)}"


def driver(*arguments: str) -> Iterator[dict[str, str]]:
    """What the driver says, as it says it. It gives itself up if it hangs."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "driver.py"), *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield json.loads(line)
        finally:
            process.kill()


@contextmanager
def _echo(way: Way, home: Path) -> Iterator[int]:
    """The port on which a relay echoes what is not encrypted, whatever the relay is spoken to."""
    options = ["--port", "0", "--echo-path", "/echo"]
    options += ["--deflate"] if way.deflate else []
    root, root_file = Authority(), home / "root.pem"
    if way.tls:
        root_file.write_bytes(root.pem)
        files = root.issue(HOST).store(home)
        options += ["--tls-port", "0", "--tls-cert", files.cert, "--tls-key", files.key]
    command = ("twistd", "--nodaemon", "--pidfile=", "wsrelay", *options)
    with running(*command, cwd=home) as relay:
        if way.tls:
            encrypted = relay.wait_for(r"Listening on .*?:(\d+) \(TLS\)")[1]
            bridge_file = str(HERE / "bridge.py")
            with running(
                "python", bridge_file, encrypted, HOST, str(root_file), cwd=home
            ) as bridge:
                yield bridge.port
        else:
            yield relay.port
        relay.end()
        assert "Traceback" not in relay.text, relay.text
