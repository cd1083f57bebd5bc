"""A port for a program that can't be told to take any free one and say which."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """One below those that the system gives to whoever connects, where it would be taken soon."""
    while True:
        port = random.randrange(15_000, 32_000)
        with suppress(OSError), socket.create_server(("", port)):
            return port
