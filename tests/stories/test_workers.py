"""Several processes as one relay, for real: ``twistd wsrelay --workers`` and a Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.managers.installed import until_gone
from tests.metrics.watching import text_string_to_metric_families
from tests.ports import free_port
from tests.servers import RedisServer, until
from tests.signing import APP, SECRET, channel_auth, event, signed_target
from tests.stories.crowd import WHEN_REFUSED, Crowd, failures, spread
from tests.stories.processes import DEADLINE, Process, run, running
from tests.stories.test_restarting import MANY, inheriting
from wsrelay.config.cores import cores

TWISTD = ("twistd", "--nodaemon", "--pidfile=", "wsrelay")
OWN_APP = ("--app", f"{APP.id}:{APP.key}:{SECRET}")
BACK_WITHIN = 2.0 if MANY >= 2000 else WHEN_REFUSED / 2


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.remove()


class Relay:
    """A relay of several processes, and what it says on its metrics' port."""

    def __init__(self, process: Process, metrics_port: int) -> None:
        self.process = process
        self._metrics_port = metrics_port

    @property
    def port(self) -> int:
        return self.process.port

    def page(self, path: str) -> str:
        url = f"http://127.0.0.1:{self._metrics_port}{path}"
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            body: bytes = answer.read()
            return body.decode()

    def status(self) -> Any:
        return json.loads(self.page("/status"))

    def workers(self, of: str) -> list[Any]:
        return [worker[of] for worker in self.status()["workers"]]

    def sample(self, name: str, **labels: str) -> float:
        for family in text_string_to_metric_families(self.page("/metrics")):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        raise KeyError(name, labels)

    def until_ready(self) -> None:
        """All workers serve, and are one by way of the Redis."""

        def is_ready() -> bool:
            try:
                return bool(self.status()["ready"])
            except urllib.error.URLError:
                return False

        until(is_ready)


@contextmanager
def relay(
    redis: RedisServer, cwd: Path, *options: str, workers: str = "2", port: int = 0, **more: str
) -> Iterator[Relay]:
    metrics = free_port()
    more["WSRELAY_METRICS_PORT"] = str(metrics)
    where = ("--host", "127.0.0.1", "--port", str(port))
    command = (*TWISTD, *OWN_APP, *where, "--workers", workers, "--redis", redis.url, *options)
    with running(*command, cwd=cwd, **more) as process:
        started = Relay(process, metrics)
        started.until_ready()
        yield started


class Guest:
    """A client, subscribed to nothing yet."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        welcome = self.expect("pusher:connection_established")
        self.socket_id = json.loads(welcome["data"])["socket_id"]

    def expect(self, name: str) -> Any:
        """The next message of that name; others are passed over."""
        while True:
            message = json.loads(self.connection.recv(DEADLINE))
            if message["event"] == name:
                return message

    def subscribe(self, channel: str, data: str | None = None) -> Any:
        asked: dict[str, Any] = {"channel": channel}
        if data is not None:
            asked["channel_data"] = data
        if channel.startswith(("private-", "presence-")):
            asked["auth"] = channel_auth(self.socket_id, channel, data)
        self.connection.send(json.dumps({"event": "pusher:subscribe", "data": asked}))
        return self.expect("pusher_internal:subscription_succeeded")

    def whisper(self, channel: str, data: str) -> None:
        message = {"event": "client-told", "channel": channel, "data": data}
        self.connection.send(json.dumps(message))


@contextmanager
def on_each(relay: Relay) -> Iterator[list[Guest]]:
    """A guest on each worker at least, the first of those who came there first."""
    with ExitStack() as stack:
        by_worker: dict[int, Guest] = {}
        many = len(relay.workers("worker"))
        while len(by_worker) < many:
            before = relay.workers("connections")
            url = f"ws://127.0.0.1:{relay.port}/app/{APP.key}?protocol=7"
            guest = Guest(stack.enter_context(connect(url, close_timeout=1)))
            grown: Callable[[], list[int]] = lambda before=before: [  # noqa: E731
                number
                for number, (old, new) in enumerate(
                    zip(before, relay.workers("connections"), strict=True)
                )
                if new > old
            ]
            until(grown)
            by_worker.setdefault(grown()[0], guest)
        yield [by_worker[number] for number in sorted(by_worker)]


def publish(port: int, channel: str, data: str) -> None:
    body = event(channel, data)
    target = signed_target("POST", f"/apps/{APP.id}/events", body)
    request = urllib.request.Request(f"http://127.0.0.1:{port}{target}", body)
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        assert answer.status == 200


def tell(story: Any) -> None:
    with asyncio.Runner() as runner:
        runner.run(story)


# -- one relay -----------------------------------------------------------------------------------


def test_clients_of_all_workers_are_of_one_relay(redis: RedisServer, tmp_path: Path) -> None:
    with relay(redis, tmp_path, workers="3") as served, on_each(served) as guests:
        for number, guest in enumerate(guests):
            told = guest.subscribe("presence-room", json.dumps({"user_id": str(number)}))
            assert json.loads(told["data"])["presence"]["count"] == number + 1
        for number, guest in enumerate(guests):
            guest.whisper("presence-room", str(number))
        for number, guest in enumerate(guests):
            others = {str(other) for other in range(3)} - {str(number)}
            assert {guest.expect("client-told")["data"] for _ in others} == others
        publish(served.port, "presence-room", "to all")
        assert [guest.expect("told")["data"] for guest in guests] == ["to all"] * 3
        assert served.status()["connections"] >= 3
        assert served.process.end() == -signal.SIGTERM
        assert "Traceback" not in served.process.text


def test_the_metrics_are_those_of_all_and_totals_never_fall(
    redis: RedisServer, tmp_path: Path
) -> None:
    with relay(redis, tmp_path) as served, on_each(served) as guests:
        for guest in guests:
            guest.subscribe("room")
        opened = "wsrelay_connections_opened_total"
        until(lambda: served.sample(opened, app=APP.id) == served.status()["connections"])
        many = served.status()["connections"]
        until(lambda: served.sample("wsrelay_connections", app=APP.id) == many)
        assert [served.sample("wsrelay_worker_up", worker=each) for each in "12"] == [1, 1]
        assert served.page("/up") == '{"health":"OK"}'
        assert served.page("/ready") == '{"ready":true}'
        first = served.workers("pid")[0]
        os.kill(first, signal.SIGKILL)
        until(lambda: served.workers("restarts") == [1, 0])
        served.until_ready()
        assert served.sample(opened, app=APP.id) == many
        assert served.sample("wsrelay_worker_restarts_total", worker="1") == 1
        until(lambda: served.sample("wsrelay_connections", app=APP.id) < many)


def test_auto_is_a_worker_for_each_core(redis: RedisServer, tmp_path: Path) -> None:
    if cores() == 1:
        pytest.skip("this machine has one core")
    with relay(redis, tmp_path, workers="auto") as served:
        assert len(served.workers("pid")) == cores()


def test_a_unix_socket_is_served_by_all_and_gone_afterwards(
    redis: RedisServer, tmp_path: Path
) -> None:
    path = tmp_path / "relay.sock"
    with relay(redis, tmp_path, "--listen", f"unix:{path}", "--listen", "tcp:0") as served:
        for _ in range(10):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(DEADLINE)
                client.connect(str(path))
                client.sendall(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")
        served.process.end()
        assert not path.exists()


# -- the log -------------------------------------------------------------------------------------


def test_lines_of_workers_are_json_where_the_log_is(redis: RedisServer, tmp_path: Path) -> None:
    with relay(redis, tmp_path, "--log-format", "json") as served:
        with on_each(served):
            pass
        served.process.end()
        lines = [json.loads(line) for line in served.process.lines]
    opened = [line for line in lines if " opened " in line["message"]]
    assert {line["worker"] for line in opened} == {1, 2}
    assert all(line["peer"].startswith("127.0.0.1:") for line in opened)


# -- the start -----------------------------------------------------------------------------------


def test_without_a_redis_it_says_that_it_needs_one(tmp_path: Path) -> None:
    tried = run(*TWISTD, "--workers", "2", cwd=tmp_path)
    assert tried.returncode == 1
    assert (tried.stdout + tried.stderr).splitlines() == [
        "wsrelay: workers: 2 processes are one relay only by way of a Redis, and none is "
        "configured (--redis redis://127.0.0.1:6379); --workers 1 needs none"
    ]


@pytest.mark.parametrize("by", ["another program", "workers"])
def test_a_taken_port_is_said_once(by: str, redis: RedisServer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        if by == "workers":
            port = stack.enter_context(relay(redis, tmp_path)).port
        else:
            port = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        where = ("--host", "127.0.0.1", "--port", str(port))
        options = (*OWN_APP, *where, "--workers", "2", "--redis", redis.url)
        tried = run(*TWISTD, *options, cwd=tmp_path)
        assert tried.returncode == 1
        said = [line for line in (tried.stdout + tried.stderr).splitlines() if str(port) in line]
        assert len(said) == 1
        assert said[0].endswith(
            f"wsrelay: port {port} is taken; its owner: ss -ltnp sport = :{port}"
        )


def test_what_a_worker_would_refuse_is_refused_before_one_is_started(
    redis: RedisServer, tmp_path: Path
) -> None:
    files = ("--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem")
    tried = run(*TWISTD, "--workers", "2", "--redis", redis.url, *files, cwd=tmp_path)
    assert tried.returncode == 1
    assert (tried.stdout + tried.stderr).splitlines()[-1] == (
        "wsrelay: tls: /nowhere/cert.pem: can't be read: No such file or directory"
    )


# -- what happens to processes -------------------------------------------------------------------


def test_a_worker_that_is_killed_is_replaced_and_nobody_is_refused(
    redis: RedisServer, tmp_path: Path
) -> None:
    async def story() -> None:
        with relay(redis, tmp_path) as served:
            crowd = Crowd(served.port, MANY)
            await crowd.come(DEADLINE)
            crowd.publish(backends=4, pause=0.05)
            await crowd.published(10)
            pid = (await asyncio.to_thread(served.workers, "pid"))[1]
            os.kill(pid, signal.SIGKILL)
            while not crowd.record.dropped:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(until, lambda: served.workers("restarts") == [0, 1])
            await asyncio.to_thread(served.until_ready)
            await crowd.all_back(0, DEADLINE)
            await crowd.go()
            served.process.wait_for(r"worker 2 \(process \d+\) was ended by SIGKILL; the next")
            served.process.end()
            assert "Traceback" not in served.process.text
        record = crowd.record
        assert record.refused == 0
        assert 0 < record.dropped < MANY
        assert not record.codes

    tell(story())


def test_when_the_parent_is_killed_no_process_is_left(redis: RedisServer, tmp_path: Path) -> None:
    with relay(redis, tmp_path) as served, on_each(served) as guests:
        pids = served.workers("pid")
        port = served.port
        served.process.send(signal.SIGKILL)
        for pid in pids:
            until_gone(pid)
        for guest in guests:
            guest.expect("pusher:error")  # a farewell as good as any
        with socket.create_server(("127.0.0.1", port)):
            pass  # nobody holds it


def test_signals_to_all_of_a_group_are_the_parents_matter(
    redis: RedisServer, tmp_path: Path
) -> None:
    with relay(redis, tmp_path) as served:
        pids = served.workers("pid")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            for pid in pids:
                os.kill(pid, number)
        with on_each(served) as guests:
            assert len(guests) == 2
        assert served.workers("pid") == pids


# -- reloading -----------------------------------------------------------------------------------


def test_all_take_up_a_configuration_or_none(redis: RedisServer, tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    other = '[[apps]]\nid = "2002"\nkey = "other-key"\nsecret = "other-secret"\n'
    file.write_text("max_body_bytes = 5000\n")
    with relay(redis, tmp_path, "--config", str(file)) as served, on_each(served) as guests:

        def reload(until: str) -> None:
            before = len(served.process.lines)
            served.process.send(signal.SIGHUP)
            served.process.wait_for(until, after=before)

        file.write_text(other + "prot = 1\n")
        reload("Reload: .*prot: unknown key.*nothing was changed")
        file.write_text("max_body_bytes = 6000\nmetrics_host = '::1'\n" + other)
        reload("Reload: metrics_host changed and will count after a restart")
        url = f"ws://127.0.0.1:{served.port}/app/other-key?protocol=7"

        def serve_the_other_app() -> set[int]:
            served_by = set()
            with ExitStack() as stack:
                for _ in range(40):
                    client = stack.enter_context(connect(url, close_timeout=1))
                    welcome = json.loads(client.recv(DEADLINE))
                    assert welcome["event"] == "pusher:connection_established"
                told = served.status()["apps"]
                until(lambda: sum(served.workers("connections")) >= 40)
                served_by = {n for n, many in enumerate(served.workers("connections")) if many > 3}
                assert told
            return served_by

        assert serve_the_other_app() == {0, 1}
        os.kill(served.workers("pid")[0], signal.SIGKILL)  # the next one goes by it, too
        until(lambda: served.workers("restarts") == [1, 0])
        served.until_ready()
        assert serve_the_other_app() == {0, 1}
        guests[1].subscribe("room")  # who was there stays
        assert "Traceback" not in served.process.text


# -- stopping ------------------------------------------------------------------------------------


def test_without_a_successor_all_are_told_to_wait(redis: RedisServer, tmp_path: Path) -> None:
    async def story() -> None:
        with relay(redis, tmp_path, "--drain", "300") as served:
            crowd = Crowd(served.port, 40)
            await crowd.come(DEADLINE)
            assert await asyncio.to_thread(served.process.end) == -signal.SIGTERM
            await crowd.go()
            assert crowd.record.codes == {4100: 40}  # siblings are no successors
            assert crowd.record.dropped == 0
            assert "Traceback" not in served.process.text

    tell(story())


def test_with_a_successor_of_several_processes_nobody_notices(
    redis: RedisServer, tmp_path: Path
) -> None:
    async def story() -> None:
        options = ("--reuse-port", "--drain", "2")
        with relay(redis, tmp_path, *options) as old:
            crowd = Crowd(old.port, MANY)
            await crowd.come(DEADLINE)
            crowd.publish(backends=8, pause=0.05)
            await crowd.published(20)
            with relay(redis, tmp_path, *options, port=old.port) as new:
                status = await asyncio.to_thread(old.process.end)
                await crowd.all_back(MANY, DEADLINE)
                await crowd.published(50)
                assert sum(await asyncio.to_thread(new.workers, "connections")) >= MANY / 2
                await crowd.go()
                assert (status, await asyncio.to_thread(new.process.end)) == (-signal.SIGTERM,) * 2
                assert "Traceback" not in old.process.text + new.process.text
                assert "can't be dealt" not in old.process.text
        record = crowd.record
        assert record.codes == {4200: MANY}
        assert (record.refused, record.dropped, failures(record)) == (0, 0, {})
        assert max(record.away) < BACK_WITHIN
        assert 1.0 < spread(record) < 2.0 + DEADLINE / 2

    tell(story())


def test_a_second_signal_ends_all_at_once(redis: RedisServer, tmp_path: Path) -> None:
    async def story() -> None:
        options = ("--reuse-port", "--drain", "300")
        with relay(redis, tmp_path, *options) as old:
            crowd = Crowd(old.port, 50)
            await crowd.come(DEADLINE)
            with relay(redis, tmp_path, *options, port=old.port) as new:
                old.process.send(signal.SIGTERM)
                for worker in (1, 2):
                    old.process.wait_for(f"worker {worker}: Stopping: .* 4200, within 300 s")
                assert await asyncio.to_thread(old.process.end) == -signal.SIGTERM
                await crowd.all_back(50, DEADLINE)
                await crowd.go()
                assert crowd.record.codes == {4200: 50}
                assert crowd.record.dropped == 0
                assert "Traceback" not in old.process.text + new.process.text

    tell(story())


def test_a_socket_that_outlives_them_is_served_by_all(redis: RedisServer, tmp_path: Path) -> None:
    async def story() -> None:
        options = ("--workers", "2", "--redis", redis.url)
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
            with inheriting(listening, tmp_path, options=options) as old:
                crowd = Crowd(listening.getsockname()[1], MANY)
                await crowd.come(DEADLINE)
                await asyncio.to_thread(old.end)
            with inheriting(listening, tmp_path, options=options) as new:
                await crowd.all_back(MANY, DEADLINE)
                await crowd.go()
                await asyncio.to_thread(new.end)
                assert "Traceback" not in old.text + new.text
        record = crowd.record
        assert record.codes == {4200: MANY}
        assert (record.refused, record.dropped) == (0, 0)

    tell(story())
