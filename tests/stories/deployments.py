"""What the same stories are told on: one process alone, or several as one relay."""

from __future__ import annotations

import shutil
import signal
import tempfile
from itertools import cycle
from pathlib import Path
from typing import Any, ClassVar

import txaio

from tests.loopback import LoopbackTestCase, Response, reactor
from tests.redis_cluster import RedisCluster
from tests.servers import RedisServer, Sentinels, until
from tests.signing import APP, SECRET
from tests.stories.processes import Process
from tests.visitor import Visitor

LISTEN = ("--host", "127.0.0.1", "--port", "0")
OPTIONS = ("--app", f"{APP.id}:{APP.key}:{SECRET}", "--client-event-rate", "0", *LISTEN)


def relay_command(name: str, *options: str, configuration: Path | None = None) -> tuple[str, ...]:
    """A wsrelay in the foreground, with the usual app unless a file says more."""
    usual = OPTIONS if configuration is None else ("--config", str(configuration), *LISTEN)
    return ("twistd", "-n", "--pidfile", f"{name}.pid", "wsrelay", *usual, *options)


def relay_process(
    directory: Path,
    name: str,
    *options: str,
    configuration: Path | None = None,
    **environment: str,
) -> Process:
    command = relay_command(name, *options, configuration=configuration)
    return Process(command, directory, {"WSRELAY_METRICS_PORT": "0", **environment})


class Deployment:
    """One process alone."""

    nodes = 1

    #: A file's text, in place of options that name an app.
    configuration = ""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="wsrelay-"))
        self.processes: list[Process] = []

    def start(self) -> None:
        self.start_backing()
        for number in range(self.nodes):
            self.start_node(number)
        for process in self.processes:
            process.wait_for("Listening on")
        until(self.is_ready)

    def start_backing(self) -> None:
        pass

    def start_node(self, number: int) -> Process:
        file = self.directory / "wsrelay.toml" if self.configuration else None
        if file is not None:
            file.write_text(self.configuration)
        process = relay_process(
            self.directory, f"node{number}", *self.options(), configuration=file
        )
        self.processes.append(process)
        return process

    def options(self) -> tuple[str, ...]:
        return ()

    def is_ready(self) -> bool:
        return True

    @property
    def ports(self) -> list[int]:
        return [process.port for process in self.processes]

    def stop(self) -> None:
        for process in self.processes:
            process.end(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)


class OnRedis(Deployment):
    """Two processes on one Redis."""

    nodes = 2

    def __init__(self) -> None:
        super().__init__()
        self.redis = RedisServer()

    def start_backing(self) -> None:
        self.redis.start()

    def options(self) -> tuple[str, ...]:
        return ("--redis", self.redis.url)

    def is_ready(self) -> bool:
        return all("is reached" in process.text for process in self.processes)

    def stop(self) -> None:
        super().stop()
        self.redis.remove()


class OnSentinels(OnRedis):
    """Two processes, and a Redis that sentinels name."""

    def __init__(self) -> None:
        super().__init__()
        self.sentinels = Sentinels()
        self.redis = self.sentinels.master

    def start_backing(self) -> None:
        self.sentinels.start()

    def options(self) -> tuple[str, ...]:
        return ("--redis", self.sentinels.url)

    def stop(self) -> None:
        super().stop()
        self.sentinels.remove()


class OnCluster(OnRedis):
    """Two processes, and a Redis Cluster of three masters and three replicas."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = RedisCluster()

    def start_backing(self) -> None:
        self.cluster.start()

    def options(self) -> tuple[str, ...]:
        return ("--redis", self.cluster.url)

    def is_ready(self) -> bool:
        return all(process.text.count("is reached") >= 3 for process in self.processes)

    def stop(self) -> None:
        super().stop()
        self.cluster.remove()


class DeployedTestCase(LoopbackTestCase):
    """Visitors and requests go to the nodes by turns."""

    timeout = 40
    deployed: ClassVar[type[Deployment]]
    configuration = ""
    deployment: ClassVar[Deployment]

    @classmethod
    def setUpClass(cls) -> None:
        cls.deployment = cls.deployed()
        cls.deployment.configuration = cls.configuration
        try:
            cls.deployment.start()
        except BaseException:
            cls.deployment.stop()
            raise

    @classmethod
    def tearDownClass(cls) -> None:
        cls.deployment.stop()

    async def setUp(self) -> None:
        self._clients: list[Any] = []
        self._ports = cycle(self.deployment.ports)
        self.timers: Any = None
        self.patch(txaio.config, "loop", reactor)

    async def tearDown(self) -> None:
        for client in self._clients:
            if isinstance(client, Visitor):
                client.sendClose(1000)
                await client.closed()
            else:
                client.transport.abortConnection()
        await self.a_turn()

    async def visitor(self, *arguments: Any, **options: Any) -> Visitor:
        self.port = next(self._ports)
        return await super().visitor(*arguments, **options)

    async def ask(self, *arguments: Any, **headers: str) -> Response:
        self.port = next(self._ports)
        return await super().ask(*arguments, **headers)
