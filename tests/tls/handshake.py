"""TLS handshakes in memory: Python's ``ssl`` is the client, the server is ours."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from tests.tls.authority import Authority, Issued


def client_context(root: Authority, **settings: Any) -> ssl.SSLContext:
    """A client that believes this authority; ``settings`` are attributes of the context."""
    context = ssl.create_default_context(cadata=root.pem.decode())
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def show_certificate(context: ssl.SSLContext, shown: Issued, directory: Any) -> None:
    """Have the client show a certificate of its own."""
    files = shown.store(directory, "client")
    context.load_cert_chain(files.cert, files.key)


class Handshake:
    """One client and one server, who have shaken hands when it is made.

    Raises what the client's ``ssl`` or the server's OpenSSL raises.
    """

    def __init__(
        self,
        begin: Callable[[], SSL.Connection],
        context: ssl.SSLContext,
        name: str | None = "relay.example",
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._to_client, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(
            self._to_client, self._to_server, server_hostname=name, session=session
        )
        self.server = begin()
        self.server.set_accept_state()
        is_client_done = is_server_done = False
        while not (is_client_done and is_server_done):
            if not is_client_done:
                try:
                    self.client.do_handshake()
                    is_client_done = True
                except ssl.SSLWantReadError:
                    pass
            self._carry()
            if not is_server_done:
                try:
                    self.server.do_handshake()
                    is_server_done = True
                except SSL.WantReadError:
                    pass
                finally:
                    self._carry()
        self.say(b"hello")  # with TLS 1.3 the client hears of a refusal, and of tickets, only now

    def say(self, data: bytes) -> None:
        """From the server to the client."""
        self.server.send(data)
        self._carry()
        heard = b""
        while len(heard) < len(data):
            heard += self.client.read(len(data))
        assert heard == data

    def _carry(self) -> None:
        if data := self._to_server.read():
            self.server.bio_write(data)
        try:
            while True:
                self._to_client.write(self.server.bio_read(65536))
        except SSL.WantReadError:
            pass

    @property
    def serial(self) -> int:
        """Of the certificate that the client was shown."""
        shown = self.client.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)
