"""Giving a connection to another protocol in the middle of its life."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.protocols.policies import ProtocolWrapper


def take_over(factory: IProtocolFactory, transport: Any, received: bytes) -> None:
    """Let a protocol of ``factory`` have the connection, from the bytes in ``received`` on."""
    protocol: Any = factory.buildProtocol(transport.getPeer())
    if isinstance(transport, ProtocolWrapper):  # TLS
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
    if received:
        protocol.dataReceived(received)
