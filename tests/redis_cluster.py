"""A real Redis Cluster for tests, always ended."""

from __future__ import annotations

import subprocess
import time

from tests.ports import free_port
from tests.servers import LOOPBACK, RedisServer, until


class RedisCluster:
    """Three masters, each with a replica."""

    def __init__(self, host: str = LOOPBACK) -> None:
        self.host = host
        self.servers: list[RedisServer] = []

    def start(self) -> None:
        for number in range(6):
            self.servers.append(self._server(number))
        hosts = [server.address for server in self.servers]
        self.manage("create", *hosts, "--cluster-replicas", "1")
        for server in self.servers:
            until(lambda server=server: "cluster_state:ok" in server.ask("CLUSTER", "INFO"))
        until(lambda: self.servers[0].ask("CLUSTER", "SLOTS").count(self.host) == 6)

    def _server(self, number: int) -> RedisServer:
        port = free_port()  # the cluster's own bus has the one 10,000 above
        server = RedisServer(
            port,
            self.host,
            **{
                "cluster-enabled": "yes",
                "cluster-config-file": f"nodes{number}.conf",
                "cluster-node-timeout": "1500",
            },
        )
        server.start()
        return server

    def manage(self, what: str, *arguments: str) -> str:
        """redis-cli --cluster."""
        done = subprocess.run(
            ["redis-cli", "--cluster", what, *arguments, "--cluster-yes"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(server.address for server in self.servers[:2])

    def master_of(self, key: str) -> RedisServer:
        running = [server for server in self.servers if server.is_running]
        slot = int(running[0].ask("CLUSTER", "KEYSLOT", key))
        for line in running[0].ask("CLUSTER", "NODES").splitlines():
            _, address, flags, _, _, _, _, _, *slots = line.split(" ")
            if "master" not in flags or "fail" in flags:
                continue
            for part in slots:
                first, _, last = part.partition("-")
                if first.isdecimal() and int(first) <= slot <= int(last or first):
                    port = int(_port(address))
                    return next(server for server in self.servers if server.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def serves(self) -> bool:
        """Every server that runs thinks that every slot has a master that runs."""
        running = [server for server in self.servers if server.is_running]
        ports = {str(server.port) for server in running}
        for server in running:
            if "cluster_state:ok" not in server.ask("CLUSTER", "INFO"):
                return False
            masters = [
                line.split(" ")
                for line in server.ask("CLUSTER", "NODES").splitlines()
                if "master" in line.split(" ")[2] and len(line.split(" ")) > 8
            ]
            if any("fail" in each[2] or _port(each[1]) not in ports for each in masters):
                return False
        return True

    def is_whole(self) -> bool:
        """It serves, and every master has a replica that is in step."""
        masters = self._masters()
        return (
            self.serves()
            and len(masters) == 3
            and all("state=online" in each.ask("INFO", "replication") for each in masters)
        )

    def _masters(self) -> list[RedisServer]:
        return [each for each in self.servers if each.is_running and each.is_master]

    def move(self, key: str, pause: float) -> None:
        """Give the slot of a key to another master, with so many seconds between two keys."""
        moving = self.begin_move(key)
        time.sleep(pause)
        self.end_move(*moving, pause)

    def begin_move(self, key: str) -> tuple[RedisServer, RedisServer, str]:
        """The slot of a key is on its way: from whom, to whom, and its number."""
        source = self.master_of(key)
        target = next(server for server in self._masters() if server is not source)
        slot = source.ask("CLUSTER", "KEYSLOT", key)
        ids = [server.ask("CLUSTER", "MYID") for server in (source, target)]
        assert target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0]) == "OK"
        assert source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1]) == "OK"
        return source, target, slot

    def end_move(
        self, source: RedisServer, target: RedisServer, slot: str, pause: float = 0
    ) -> None:
        """As ``redis-cli --cluster`` does, which overwrites nothing."""
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, "100").split():
            for each in keys:
                answer = source.ask("MIGRATE", target.host, str(target.port), each, "0", "5000")
                assert answer in ("OK", "NOKEY"), answer
                time.sleep(pause)
        owner = target.ask("CLUSTER", "MYID")
        for server in (target, source):
            assert server.ask("CLUSTER", "SETSLOT", slot, "NODE", owner) == "OK"

    def remove(self) -> None:
        for server in self.servers:
            server.remove()


def _port(address: str) -> str:
    """Of an address as CLUSTER NODES writes it."""
    return address.partition("@")[0].rpartition(":")[2]
