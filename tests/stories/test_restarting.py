"""Restarts under load, with real processes: who is closed, how, and how soon he is back.

``WSRELAY_TEST_CROWD=2000`` makes the crowd larger, and has everybody back within two seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.signing import APP, SECRET
from tests.stories.crowd import WHEN_REFUSED, Crowd, Record, failures, spread
from tests.stories.processes import BIN, DEADLINE, Process, running

#: Clients.
MANY = int(os.environ.get("WSRELAY_TEST_CROWD", "300"))
#: Seconds. The large crowd runs alone on its machine; the small one among all other tests.
BACK_WITHIN = 2.0 if MANY >= 2000 else WHEN_REFUSED / 2
TWISTD = ("twistd", "--nodaemon", "--pidfile=", "wsrelay", "--app", f"{APP.id}:{APP.key}:{SECRET}")


def run(story: object) -> None:
    with asyncio.Runner() as runner:
        runner.run(story)  # type: ignore[arg-type]


@contextmanager
def sharing(port: int, cwd: Path, drain: float = 2.0) -> Iterator[Process]:
    """A relay that shares its port."""
    options = ("--host", "127.0.0.1", "--port", str(port), "--reuse-port", "--drain", str(drain))
    with running(*TWISTD, *options, cwd=cwd) as relay:
        assert relay.port
        yield relay


@contextmanager
def inheriting(
    listening: socket.socket, cwd: Path, domain: str = "INET", options: tuple[str, ...] = ()
) -> Iterator[Process]:
    """A relay that is given a listening socket as systemd gives it."""
    # Not dash, which knows no descriptor above 9.
    script = f'LISTEN_PID=$$ exec "$@" 3<&{listening.fileno()}'
    with running(
        *("/bin/bash", "-c", script, "bash", str(BIN / TWISTD[0])),
        *(*TWISTD[1:], "--listen", f"systemd:domain={domain}:index=0", *options),
        cwd=cwd,
        pass_fds=(listening.fileno(),),
        LISTEN_FDS="1",
        LISTEN_FDNAMES="relay",
    ) as relay:
        assert relay.port
        yield relay


async def ended(relay: Process) -> int:
    return await asyncio.to_thread(relay.end)


def tell(record: Record) -> None:
    """For whoever runs it with ``-s``."""
    sys.stdout.write(
        f"\n{len(record.closed)} closed over {spread(record):.2f} s with {dict(record.codes)}; "
        f"back after {max(record.away):.2f} s at most; {record.refused} refused, "
        f"{record.dropped} dropped; published {dict(record.published)}; "
        f"{record.delivered} delivered\n"
    )


def test_when_the_next_process_takes_over_nobody_notices(tmp_path: Path) -> None:
    async def story() -> None:
        with sharing(0, tmp_path) as old:
            crowd = Crowd(old.port, MANY)
            await crowd.come(DEADLINE)
            crowd.publish(backends=8, pause=0.05)
            await crowd.published(20)  # by connections to the only one that is there
            with sharing(old.port, tmp_path) as new:
                status = await ended(old)
                record = crowd.record
                await crowd.all_back(MANY, DEADLINE)
                await crowd.published(50)
                tell(record)
                await crowd.go()
                assert (status, await ended(new)) == (-signal.SIGTERM,) * 2
                assert "Traceback" not in old.text + new.text
        assert record.codes == {4200: MANY}
        assert (record.refused, record.dropped, failures(record)) == (0, 0, {})
        assert record.published["last of its connection"] > 0
        assert max(record.away) < BACK_WITHIN
        assert 1.0 < spread(record) < 2.0 + DEADLINE / 2

    run(story())


def test_when_the_socket_outlives_the_process_nobody_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
            with inheriting(listening, tmp_path) as old:
                crowd = Crowd(listening.getsockname()[1], MANY)
                await crowd.come(DEADLINE)
                crowd.publish(backends=8, pause=0.05)
                await crowd.published(20)
                await ended(old)
            with inheriting(listening, tmp_path) as new:
                record = crowd.record
                await crowd.all_back(MANY, DEADLINE)
                tell(record)
                await crowd.go()
                await ended(new)
                assert "Traceback" not in old.text + new.text
        assert record.codes == {4200: MANY}
        assert (record.refused, record.dropped, failures(record)) == (0, 0, {})
        assert max(record.away) < BACK_WITHIN

    run(story())


def test_without_a_successor_clients_are_told_to_wait(tmp_path: Path) -> None:
    async def story() -> None:
        with running(*TWISTD, "--host", "127.0.0.1", "--port", "0", cwd=tmp_path) as relay:
            crowd = Crowd(relay.port, 20)
            await crowd.come(DEADLINE)
            started = time.monotonic()
            await ended(relay)
            assert time.monotonic() - started < DEADLINE / 2  # nobody is waited for
            await crowd.go()
            assert crowd.record.codes == {4100: 20}
            assert crowd.record.dropped == 0

    run(story())


def test_a_second_signal_ends_the_drain_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        with sharing(0, tmp_path, drain=300) as old:
            crowd = Crowd(old.port, 50)
            await crowd.come(DEADLINE)
            with sharing(old.port, tmp_path) as new:
                old.send(signal.SIGTERM)
                old.wait_for("Stopping: 50 connections are told 4200, within 300 s")
                assert await ended(old) == -signal.SIGTERM
                await crowd.all_back(50, DEADLINE)
                await crowd.go()
                assert crowd.record.codes == {4200: 50}
                assert crowd.record.dropped == 0
                await ended(new)
                assert "Traceback" not in old.text

    run(story())


@pytest.mark.parametrize("domain", ["INET", "INET6"])
def test_the_family_of_an_inherited_socket_is_its_own_whatever_is_said(
    domain: str, tmp_path: Path
) -> None:
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")

    async def story() -> None:
        with (
            socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both,
            inheriting(both, tmp_path, domain) as relay,
        ):
            crowd = Crowd(both.getsockname()[1], 3)
            await crowd.come(DEADLINE)
            await crowd.go()
            await ended(relay)
            assert "Traceback" not in relay.text

    run(story())
