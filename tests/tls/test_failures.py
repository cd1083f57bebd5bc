"""wsrelay.tls.failures: handshakes that fail, with real sockets and OpenSSL's own reasons."""

from __future__ import annotations

import socket
import ssl

import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from tests.tls.over_tls import OverTls
from wsrelay.core.notices import Tally
from wsrelay.tls.failures import QUIET, Failures, reason_of


def refused(error: str = "no shared cipher") -> SSL.Error:
    return SSL.Error([("SSL routines", "", error)])


def test_all_are_counted_and_one_a_minute_is_told_with_the_number_of_the_others() -> None:
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    now, tally = [1000.0], Tally()
    failures = Failures(tally, lambda: now[0])
    globalLogPublisher.addObserver(observe)
    try:
        for _ in range(10_000):
            failures.began()
            failures.failed("192.0.2.7", refused())
        assert lines == ["TLS: a handshake with 192.0.2.7 failed (no shared cipher)"]
        now[0] += QUIET
        failures.failed("192.0.2.8", ConnectionLost())
        assert lines[1:] == [
            "TLS: a handshake with 192.0.2.8 failed (the client went away); so did 9999 more in "
            "the minutes before"
        ]
        now[0] += QUIET
        failures.failed("192.0.2.9", refused("unsupported protocol"))
        assert lines[2:] == ["TLS: a handshake with 192.0.2.9 failed (unsupported protocol)"]
    finally:
        globalLogPublisher.removeObserver(observe)
    assert (tally.tls_handshakes, tally.tls_handshakes_failed) == (10_000, 10_002)


def test_a_reason_is_told_whatever_the_error_holds() -> None:
    assert reason_of(SSL.Error([("", "", "one"), ("", "", "two")])) == "one and two"
    assert reason_of(SSL.Error([])) == "no reason given"
    assert reason_of(SSL.Error()) == "Error"
    assert reason_of(ConnectionAborted()) == "it took too long"
    assert reason_of(SSL.SysCallError(-1, "Unexpected EOF")) == "SysCallError"


class FailuresTest(OverTls):
    """What is no handshake, and what is one that can't succeed."""

    async def failed(self, count: int) -> None:
        while self.relay.tally.tls_handshakes_failed < count:
            await self.a_turn()

    async def test_a_good_handshake_is_no_failure(self) -> None:
        assert (await self.ask("GET", "/up")).status == 200
        while self.of_server_sockets(socket.socket.fileno):
            await self.a_turn()
        tally = self.relay.tally
        assert (tally.tls_handshakes, tally.tls_handshakes_failed) == (1, 0)

    async def test_plain_http_on_the_port_of_tls_is_one_and_its_reason_is_told(self) -> None:
        def ask() -> None:
            with socket.create_connection(("127.0.0.1", self.port)) as line:
                line.sendall(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
                while line.recv(4096):
                    pass

        await deferToThread(ask)
        await self.failed(1)
        assert "TLS: a handshake with 127.0.0.1 failed (http request)" in self.log_text

    async def test_a_client_who_does_not_trust_the_certificate_is_one(self) -> None:
        def distrust() -> None:
            context = ssl.create_default_context()
            with (
                socket.create_connection(("127.0.0.1", self.port)) as line,
                pytest.raises(ssl.SSLCertVerificationError),
            ):
                context.wrap_socket(line, server_hostname="relay.example")

        await deferToThread(distrust)
        await self.failed(1)
        assert "unknown ca" in self.log_text

    async def test_a_client_who_says_nothing_and_goes_is_one(self) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()
        await self.failed(1)
        assert "failed (the client went away)" in self.log_text

    async def test_its_endpoint_is_told_as_tls(self) -> None:
        assert self.relay.listening() == [
            f"tcp 127.0.0.1:{self.plain_port}",
            f"tls 127.0.0.1:{self.port}",
        ]
