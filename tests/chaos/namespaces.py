"""Nodes in network namespaces: each has a link to its clients and one to Redis, which can be cut.

A cut link is silent: frames go to a hardware address that nobody has, so that nothing is refused,
nothing is reset and no carrier is lost. ``impossible`` says why there can be none here.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from functools import cache

from tests.stories.processes import BIN

#: Where commands are: those beside this Python, and those of administrators.
PATH = f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin"
#: A locally administered address that nobody has.
NOBODY = "02:00:00:00:00:01"


@cache
def impossible() -> str:
    """Why network namespaces can't be made here; "" when they can."""
    if shutil.which("ip", path=PATH) is None:
        return "iproute2 is not installed"
    if os.geteuid():
        return "network namespaces need root"
    try:
        network = Network(1)
    except CannotMake as problem:
        return f"network namespaces can't be made: {problem}"
    network.remove()
    return ""


class CannotMake(Exception):
    pass


class Network:
    """So many namespaces, numbered from 0. Redis is at ``redis``; addresses are those for tests
    of network equipment (RFC 2544).
    """

    def __init__(self, nodes: int) -> None:
        """Raises ``CannotMake``."""
        self.nodes = nodes
        self._number = random.randrange(256)
        self.redis = f"198.19.{self._number}.1"
        self._made: list[str] = []
        try:
            _ip(f"addr add {self.redis}/32 dev lo")
            for node in range(nodes):
                self._make(node)
        except CannotMake:
            self.remove()
            raise

    def _name(self, node: int) -> str:
        return f"wsrelay{self._number}-{node}"

    def _links(self, node: int) -> list[tuple[str, str, str]]:
        """Of the links to clients and to Redis: the name, this end's address, the node's."""
        number, net, at = self._number, f"198.18.{self._number}", 8 * node
        return [
            (f"wsc{number}-{node}", f"{net}.{at + 1}", f"{net}.{at + 2}"),
            (f"wsr{number}-{node}", f"{net}.{at + 5}", f"{net}.{at + 6}"),
        ]

    def _make(self, node: int) -> None:
        name = self._name(node)
        _ip(f"netns add {name}")
        self._made.append(name)
        _ip("link set lo up", name)
        for (link, here, there), end in zip(self._links(node), ("clients", "redis"), strict=True):
            _ip(f"link add {link} type veth peer name {end} netns {name}")
            _ip(f"addr add {here}/30 dev {link}")
            _ip(f"link set {link} up")
            _ip(f"addr add {there}/30 dev {end}", name)
            _ip(f"link set {end} up", name)
        _ip(f"route add {self.redis} via {self._links(node)[1][1]}", name)

    def host(self, node: int) -> str:
        """The address at which clients find the node."""
        return self._links(node)[0][2]

    def command(self, node: int, *command: str) -> tuple[str, ...]:
        """As a process of the node's; its id is the command's own."""
        programs = [shutil.which(each, path=PATH) for each in ("ip", command[0])]
        ip, program = [each or "" for each in programs]
        return (ip, "netns", "exec", self._name(node), program, *command[1:])

    def cut(self, node: int) -> None:
        """The node's link to Redis loses everything, both ways."""
        link, here, there = self._links(node)[1]
        _ip(f"neigh replace {there} lladdr {NOBODY} dev {link} nud permanent")
        _ip(f"neigh replace {here} lladdr {NOBODY} dev redis nud permanent", self._name(node))

    def heal(self, node: int) -> None:
        link, here, there = self._links(node)[1]
        _ip(f"neigh del {there} dev {link}")
        _ip(f"neigh del {here} dev redis", self._name(node))

    def remove(self) -> None:
        """Nothing may run in the namespaces any more."""
        for node, name in enumerate(self._made):
            for link, *_ in self._links(node):
                _ip(f"link del {link}", is_needed=False)
            _ip(f"netns del {name}")
        self._made.clear()
        _ip(f"addr del {self.redis}/32 dev lo", is_needed=False)


def _ip(words: str, namespace: str = "", *, is_needed: bool = True) -> None:
    where = ["-n", namespace] if namespace else []
    done = subprocess.run(
        ["ip", *where, *words.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": PATH},
    )
    if is_needed and done.returncode:
        raise CannotMake(f"ip {words}: {done.stderr.strip()}")
