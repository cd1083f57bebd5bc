"""200 avatars at 20 Hz in one room: what each rule saves. ``python -m benchmarks.office``

One wsrelay process, one load generator, a few seconds for each line of the table that is printed.
The avatars walk in a square 3,000 wide; near is within 300. The milliseconds are those of the moves
of avatars that are near, and seen to be: within 280, as what is on its way may cross the line.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import generator

AVATARS, HERTZ, WIDTH, RADIUS = 200, 20, 3000, 300

NEWEST = 'newest = { events = ["client-move"], rate = 20 }'
NEAR = f"radius = {RADIUS}, hysteresis = 30"
PROXIMITY = f'proximity = {{ event = "client-move", {NEAR} }}'
TRICKLE = f'proximity = {{ event = "client-move", {NEAR}, beyond_rate = 1 }}'
SNAPSHOT = "snapshot = true"

#: What each line of the table measures: its name, moves a second and avatar, the rule.
CASES = (
    ("no rule", HERTZ, ()),
    ("newest", HERTZ, (NEWEST,)),
    ("newest, mice at 60 Hz", 60, (NEWEST,)),
    ("newest, snapshot", HERTZ, (NEWEST, SNAPSHOT)),
    ("proximity", HERTZ, (PROXIMITY,)),
    ("newest, proximity", HERTZ, (NEWEST, PROXIMITY)),
    ("newest, proximity, 1 Hz beyond", HERTZ, (NEWEST, TRICKLE)),
)


def configuration(rule: tuple[str, ...]) -> str:
    lines = ['host = "127.0.0.1"', "port = 0", "[[apps]]", 'id = "app-id"', 'key = "app-key"']
    lines += ['secret = "app-secret"', "client_event_rate = 0", f"max_presence_members = {AVATARS}"]
    if rule:
        lines += ["[[apps.rules]]", 'channels = "presence-load*"', *rule]
    return "\n".join(lines)


def measured(rule: tuple[str, ...], hertz: int, seconds: float, program: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        file = Path(home, "wsrelay.toml")
        file.write_text(configuration(rule))
        log = Path(home, "log")
        with log.open("wb") as output:
            server = subprocess.Popen(
                [
                    Path(sys.executable).with_name("twistd"),
                    *("--nodaemon", "--pidfile=", "wsrelay", "--config", file),
                ],
                cwd=home,
                stdout=output,
                stderr=output,
            )
        try:
            port = _port(log, server)
            found = subprocess.run(
                [
                    program,
                    *("--port", port, "--server", str(server.pid), "--prefix", "presence-load"),
                    *("--members", str(AVATARS), "--publishers", str(AVATARS)),
                    *("--rate", str(hertz), "--spread", str(WIDTH), "--near", str(RADIUS - 20)),
                    *("--size", "120"),
                    *("--duration", str(seconds), "--warmup", "2"),
                ],
                capture_output=True,
                check=True,
                timeout=120,
            )
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


def _port(log: Path, server: subprocess.Popen[bytes]) -> str:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        said = log.read_text()
        if "Listening on" in said:
            return said.partition("Listening on ")[2].split()[0].rpartition(":")[2]
        assert server.poll() is None, said
        time.sleep(0.05)
    raise TimeoutError(log.read_text())


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as home:
        program = generator.build(Path(home))
        print("| rules | deliveries/s | KB/s | CPU % | p50 ms | p99 ms | longest ms |")  # noqa: T201
        print("|---|--:|--:|--:|--:|--:|--:|")  # noqa: T201
        for name, hertz, rule in CASES:
            found = measured(rule, hertz, seconds, program)
            print(  # noqa: T201
                f"| {name} | {found['delivered_per_s']:,.0f} | {found['bytes_per_s'] / 1024:,.0f} "
                f"| {100 * found['server_cpu']:.0f} | {found['p50_ms']} | {found['p99_ms']} "
                f"| {found['max_ms']} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
