"""Who serves the clients when this process has stopped: what they are told depends on it.

* Somebody is **present**: another process listens on the port (``reuse_port``), or the operator
  says so (``successor = "present"``: other nodes behind a load balancer). Clients come back at once
  (4200) and find him, so there is time to send them one after the other, over ``drain`` seconds.
* Somebody is **expected**: the listening sockets are the service manager's (socket activation), and
  outlive this process. Clients come back at once (4200) and wait in the socket's queue until the
  next process begins, which the manager starts only when this one has ended. So it must not be
  long: everybody is sent at once, whatever ``drain`` says.
* There is **none**: nobody listens until this process is started again. Clients come back after a
  second (4100), and the sooner this one has ended the fewer of them meet a closed port.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Any

from .core.errors import Code
from .listening import is_inherited
from .sharing import SharedPort, listeners


class Successor(Enum):
    NONE = auto()
    EXPECTED = auto()
    PRESENT = auto()

    @property
    def code(self) -> Code:
        """What clients are told."""
        return Code.OVER_CAPACITY if self is Successor.NONE else Code.RECONNECT_NOW


def successor(ports: Iterable[Any], said: str = "auto") -> Successor:
    """Who there is, for all of the ports. What the operator has ``said`` counts more."""
    if said == "present":
        return Successor.PRESENT
    if said == "none":
        return Successor.NONE
    return min(map(_on, ports), key=lambda found: found.value, default=Successor.NONE)


def _on(port: Any) -> Successor:
    if is_inherited(port):
        return Successor.EXPECTED
    if isinstance(port, SharedPort) and _is_shared_now(port):
        return Successor.PRESENT
    return Successor.NONE


def _is_shared_now(port: SharedPort) -> bool:
    try:
        return listeners(port.socket) > 1
    except OSError:  # no /proc
        return False
