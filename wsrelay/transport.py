"""A TCP transport that writes at once.

Twisted's own ``write`` queues the bytes and registers the descriptor for writing: two system
calls and a wake-up around every ``send``. When nothing waits, the socket takes the bytes right
away nearly always, so try that first. TLS and HTTP on top of it gain as well.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp


class EagerServer(tcp.Server):
    """An accepted connection; a listening ``tcp.Port`` makes them by its ``transport``."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Not left to Autobahn, whose option has no effect on a server (26.10.2): Nagle then
        # costs 40 ms at the 99th percentile.
        self.setTcpNoDelay(True)

    def write(self, data: bytes) -> None:
        if (
            self.dataBuffer
            or self._tempDataBuffer
            or self.TLS
            or not self.connected
            or self._writeDisconnected
        ):
            super().write(data)
            return
        try:
            sent = self.socket.send(data)
        except OSError:  # not now, or never: the reactor will find out which
            super().write(data)
            return
        if sent < len(data):
            super().write(data[sent:])

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def logPrefix(self) -> str:
        """Asked for around every single read; Twisted's own looks the protocol over each time."""
        return "-"
