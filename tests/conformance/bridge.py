"""From TCP to TLS: kosoku (0.1.0) speaks no wss, so somebody has to encrypt for it.

``python bridge.py PORT HOST ROOT``: every connection goes on, encrypted, to PORT of this machine,
which has to prove by the authority in the file ROOT that it is HOST.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import react
from twisted.protocols.portforward import ProxyClient, ProxyFactory, ProxyServer


async def main(reactor: Any, port: str, host: str, root: str) -> None:
    """Carry on until killed."""
    options = optionsForClientTLS(host, Certificate.loadPEM(Path(root).read_bytes()))
    far = wrapClientTLS(options, TCP4ClientEndpoint(reactor, "127.0.0.1", int(port)))

    class Crossing(ProxyServer):
        def connectionMade(self) -> None:
            self.transport.pauseProducing()  # until the other side is there
            there = ProxyClient()
            there.setPeer(self)
            connectProtocol(far, there).addErrback(self.refused)

        def refused(self, failure: Any) -> None:
            failure.printTraceback()
            self.transport.loseConnection()

    factory = ProxyFactory(host, int(port))
    factory.protocol = Crossing
    entrance = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
    sys.stdout.write(f"Listening on 127.0.0.1:{entrance.getHost().port}\n")
    sys.stdout.flush()
    await Deferred()


if __name__ == "__main__":
    react(lambda *given: Deferred.fromCoroutine(main(*given)), sys.argv[1:])
