"""``LoopbackTestCase`` with TLS between the clients and the relay."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from msgspec import structs
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.ssl import Certificate, optionsForClientTLS

from tests.loopback import Http, LoopbackTestCase, reactor
from tests.signing import APP
from tests.tls.authority import Authority
from tests.visitor import Visitor, visitors
from wsrelay.config.settings import TlsListener

ROOT = Authority()
NAME = "relay.example"


class OverTls(LoopbackTestCase):
    """Put before another ``LoopbackTestCase``: what its clients do, they do over TLS.

    The relay listens on a plain port too; ``port`` is that of TLS, ``plain_port`` the other.
    """

    async def setUp(self) -> None:
        # Not trial's mktemp, which would leave it in the working directory.
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        files = ROOT.issue(NAME).store(self.directory)
        listener = TlsListener(host="127.0.0.1", port=0, certificates=(files,))
        self.settings = structs.replace(self.settings, tls=(listener,))
        await super().setUp()

    def _remember(self, client: Any) -> None:
        """Have the client's connection ended with the test."""

        def abort() -> None:
            if client.transport.connected:  # or Twisted's (26.10) raises AttributeError
                client.transport.abortConnection()

        transport = SimpleNamespace(abortConnection=abort)
        self._clients.append(SimpleNamespace(transport=transport))

    @property
    def port(self) -> int:
        return self._port

    @port.setter
    def port(self, plain_port: int) -> None:
        found = re.search(r":(\d+) \(TLS\)", self.log_text)
        assert found is not None, self.log_text
        self.plain_port, self._port = plain_port, int(found[1])

    def endpoint(self) -> Any:
        """Where TLS is spoken; the client believes our authority and looks at the name."""
        trusted = Certificate.loadPEM(ROOT.pem)
        return wrapClientTLS(
            optionsForClientTLS(NAME, trustRoot=trusted),
            HostnameEndpoint(reactor, "127.0.0.1", self.port),
        )

    async def http(self) -> Http:
        connection: Http = await connectProtocol(self.endpoint(), Http())
        self._remember(connection)
        return connection

    async def tcp(self, port: int | None = None) -> Http:
        """A connection without TLS."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port if port is None else port)
        connection: Http = await connectProtocol(endpoint, Http())
        self._remember(connection)
        return connection

    async def visitor(self, path: str = f"/app/{APP.key}?protocol=7", **options: Any) -> Visitor:
        visitor: Visitor = await self.endpoint().connect(visitors(reactor, path, **options))
        self._remember(visitor)
        await visitor.is_open
        return visitor
