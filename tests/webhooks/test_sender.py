"""wsrelay.webhooks.sender: against real servers on loopback."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile
from threading import Event as Flag
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from zope.interface import implementer

from tests.doubles import an_app
from tests.webhooks.receiver import DEADLINE
from tests.webhooks.resolving import Names
from tests.webhooks.sending import Sending
from wsrelay.core.apps import Secret, Webhook
from wsrelay.webhooks.backlog import AT_ONCE, PostFailed
from wsrelay.webhooks.batch import Delivery, body_of, signature_of
from wsrelay.webhooks.sender import MOST_ANSWER_BYTES, Sender
from wsrelay.webhooks.target import Target

BODY = body_of([b'{"name":"channel_occupied","channel":"a"}'], 1767225600123)


def target(url: str, **headers: str) -> Target:
    webhook = Webhook(
        url=url, headers={name.replace("_", "-"): Secret(value) for name, value in headers.items()}
    )
    return Target(an_app(webhooks=(webhook,)), webhook, 1)


def delivery(body: bytes = BODY) -> Delivery:
    return Delivery("a", body, signature_of(an_app(), body), created=0.0)


async def refused(sender: Sender, asked: Target) -> str:
    """Why the delivery was not accepted."""
    try:
        await sender.post(asked, delivery())
    except PostFailed as failed:
        return str(failed)
    raise AssertionError("it was accepted")


class TestSender(Sending):
    async def test_what_arrives_is_the_signed_body_with_the_protocol_s_headers(self) -> None:
        receiver = self.receiver()
        asked = target(receiver.url(path="/hook;p?a=1&b"), Authorization="Bearer t", x_own="é")
        await self.sender().post(asked, delivery())
        [request] = receiver.requests
        assert request.path == b"/hook;p?a=1&b"
        assert request.body == BODY
        assert request.headers == {
            b"host": [f"127.0.0.1:{receiver.port.getHost().port}".encode()],
            b"content-type": [b"application/json"],
            b"content-length": [str(len(BODY)).encode()],
            b"x-pusher-key": [b"wsr-key-7f3a91"],
            b"x-pusher-signature": [signature_of(an_app(), BODY).encode()],
            b"user-agent": request.headers[b"user-agent"],
            b"authorization": [b"Bearer t"],
            b"x-own": ["é".encode()],
        }
        assert request.headers[b"user-agent"][0].startswith(b"wsrelay/")

    async def test_headers_are_spelled_as_php_s_library_looks_for_them(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        heads: list[bytes] = []

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                heads.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        serving = Thread(target=serve)
        serving.start()
        await self.sender().post(
            target(f"http://127.0.0.1:{listening.getsockname()[1]}/"), delivery()
        )
        serving.join(DEADLINE)
        listening.close()
        lines = heads[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert lines[0] == b"POST / HTTP/1.1"
        names = {line.partition(b":")[0] for line in lines[1:]}
        assert {b"X-Pusher-Key", b"X-Pusher-Signature", b"Content-Type"} <= names

    async def test_an_own_user_agent_replaces_the_relay_s(self) -> None:
        receiver = self.receiver()
        await self.sender().post(target(receiver.url(), user_agent="me"), delivery())
        assert receiver.requests[0].headers[b"user-agent"] == [b"me"]

    async def test_every_status_of_2xx_is_success(self) -> None:
        receiver, sender = self.receiver(), self.sender()
        receiver.statuses = [200, 201, 202, 204, 299]
        for _ in range(5):
            await sender.post(target(receiver.url()), delivery())
        assert len(receiver.requests) == 5

    async def test_every_other_status_is_a_failure_that_names_it(self) -> None:
        receiver, sender = self.receiver(), self.sender()
        receiver.statuses = [400, 401, 404, 410, 500, 503]
        for status in tuple(receiver.statuses):
            reason = await refused(sender, target(receiver.url()))
            assert reason == f"answered {status}, expected is 2xx"

    async def test_a_redirect_is_not_followed(self) -> None:
        elsewhere, receiver, sender = self.receiver(), self.receiver(), self.sender()
        receiver.location = elsewhere.url().encode()
        receiver.statuses = [300, 301, 302, 307, 308]
        for status in tuple(receiver.statuses):
            reason = await refused(sender, target(receiver.url()))
            assert reason.startswith(f"answered {status}: redirects are not followed")
        assert elsewhere.requests == []

    async def test_one_connection_serves_one_request_after_the_other(self) -> None:
        receiver, sender = self.receiver(), self.sender()
        receiver.statuses = [200, 500, 200]
        for answer in (b"", b"x" * MOST_ANSWER_BYTES, b"ok"):
            receiver.answer = answer
            if receiver.statuses[0] == 500:
                await refused(sender, target(receiver.url()))
            else:
                await sender.post(target(receiver.url()), delivery())
        assert receiver.connections == 1

    async def test_no_more_connections_are_kept_than_are_used_at_once(self) -> None:
        receiver, sender = self.receiver(), self.sender()
        posts = [
            Deferred.fromCoroutine(sender.post(target(receiver.url()), delivery()))
            for _ in range(2 * AT_ONCE)
        ]
        for post in posts:
            await post
        assert receiver.connections == 2 * AT_ONCE
        await self.until(lambda: len(self.connections()) == 2 * AT_ONCE)  # both ends of each

    async def test_a_receiver_that_never_answers_is_waited_for_no_longer_than_the_timeout(
        self,
    ) -> None:
        receiver = self.receiver()
        receiver.hangs = True
        sender = self.sender(timeout=0.1)
        asked = target(receiver.url())
        assert await refused(sender, asked) == "did not answer within 0.1 s"
        await self.until(lambda: self.connections() == [])

    async def test_a_receiver_that_can_not_be_reached_is_waited_for_no_longer_either(self) -> None:
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        address = full.getsockname()
        fillers = []
        try:
            while True:  # until the queue is full, and the kernel answers no more
                filler = socket.socket()
                fillers.append(filler)
                filler.settimeout(0.2)
                filler.connect(address)
        except TimeoutError:
            pass
        asked = target(f"http://127.0.0.1:{address[1]}/")
        assert await refused(self.sender(timeout=0.1), asked) == "did not answer within 0.1 s"
        for one in (full, *fillers):
            one.close()

    async def test_a_receiver_that_hangs_up_is_a_failure(self) -> None:
        receiver = self.receiver()
        receiver.hangs_up = True
        reason = await refused(self.sender(), target(receiver.url()))
        assert reason.startswith("could not be asked: Connection")

    async def test_a_receiver_that_is_not_there_is_a_failure(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        asked = target(f"http://127.0.0.1:{port}/")
        assert await refused(self.sender(), asked) == "refuses connections"

    async def test_what_does_not_speak_http_is_a_failure(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail.example ESMTP\r\n" * 10)

        serving = Thread(target=serve)
        serving.start()
        asked = target(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        reason = await refused(self.sender(), asked)
        serving.join(DEADLINE)
        listening.close()
        assert reason == "could not be asked: ParseError"

    async def test_an_answer_that_is_too_long_ends_with_the_connection_and_counts_all_the_same(
        self,
    ) -> None:
        receiver, sender = self.receiver(), self.sender()
        receiver.answer = b"x" * (16 * MOST_ANSWER_BYTES)
        await sender.post(target(receiver.url()), delivery())
        await sender.post(target(receiver.url()), delivery())
        assert receiver.connections == 2

    async def test_an_answer_that_never_ends_is_read_no_longer_than_the_timeout_and_counts(
        self,
    ) -> None:
        receiver, sender = self.receiver(), self.sender(timeout=0.1)
        receiver.answer_never_ends = True
        await sender.post(target(receiver.url()), delivery())
        await self.until(lambda: self.connections() == [])
        receiver.statuses = [500]
        reason = await refused(sender, target(receiver.url()))
        assert reason == "answered 500, expected is 2xx"

    async def test_an_address_inside_is_refused_unless_it_is_allowed(self) -> None:
        receiver = self.receiver()
        reason = await refused(self.sender(may_reach_private=False), target(receiver.url()))
        assert reason == (
            "may not be asked: 127.0.0.1 leads to 127.0.0.1, a loopback address, to which "
            "webhooks are sent only with webhook_private_addresses = true"
        )
        assert receiver.connections == 0

    async def test_loopback_is_refused_however_it_is_written(self) -> None:
        sender = self.sender(may_reach_private=False)
        for host in ("localhost", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0"):
            reason = await refused(sender, target(f"http://{host}/"))
            assert reason.startswith("may not be asked: "), host

    async def test_a_name_that_leads_inside_is_refused_unless_it_is_allowed(self) -> None:
        receiver = self.receiver()
        self.install(Names(receiver_test=["127.0.0.1"]))
        asked = target(receiver.url("receiver.test"))
        reason = await refused(self.sender(may_reach_private=False), asked)
        assert reason.startswith(
            "may not be asked: receiver.test leads to 127.0.0.1, a loopback address"
        )
        assert receiver.connections == 0
        await self.sender().post(asked, delivery())
        assert receiver.requests[0].headers[b"host"] == [
            f"receiver.test:{receiver.port.getHost().port}".encode()
        ]

    async def test_a_name_that_does_not_resolve_is_a_failure(self) -> None:
        self.install(Names())
        reason = await refused(self.sender(), target("http://nowhere.test/"))
        assert reason == "has a name that does not resolve"

    async def test_closing_breaks_off_what_is_under_way_and_closes_what_is_kept(self) -> None:
        receiver, sender = self.receiver(), self.sender()
        await sender.post(target(receiver.url()), delivery())
        receiver.hangs = True
        posts = [Deferred.fromCoroutine(refused(sender, target(receiver.url()))) for _ in range(2)]
        await receiver.when(3)
        await sender.close()
        for post in posts:
            assert (await post).startswith("could not be asked: ")
        await self.until(lambda: self.connections() == [])
        reason = await refused(sender, target(receiver.url()))
        assert reason == "was not asked any more: the relay is stopping"

    def install(self, names: Names) -> None:
        before = self.reactor.installNameResolver(names)
        self.addCleanup(self.reactor.installNameResolver, before)


@contextmanager
def file_with(content: bytes) -> Iterator[str]:
    with NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


@implementer(IOpenSSLContextFactory)
class TLS:
    """A server's context. Not Twisted's ``PrivateCertificate``: what it does (26.10) is deprecated
    by pyOpenSSL (26.4)."""

    def __init__(self, pem: bytes) -> None:
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        with file_with(pem) as path:
            self._context.use_certificate_file(path)
            self._context.use_privatekey_file(path)

    def getContext(self) -> SSL.Context:
        return self._context


class TestTLS(Sending):
    def setUp(self) -> None:
        super().setUp()
        before = self.reactor.installNameResolver(
            Names(receiver_test=["127.0.0.1"], other_test=["127.0.0.1"])
        )
        self.addCleanup(self.reactor.installNameResolver, before)
        self.pem = certificate_for("receiver.test")
        self.trusted = trustRootFromCertificates([Certificate.loadPEM(self.pem)])

    async def test_the_certificate_must_be_of_the_name_and_the_name_is_sent(self) -> None:
        receiver = self.receiver(tls=TLS(self.pem))
        await self.sender(trust_root=self.trusted).post(
            target(receiver.url("receiver.test")), delivery()
        )
        [request] = receiver.requests
        assert json.loads(request.body)["events"]
        assert request.headers[b"host"][0].startswith(b"receiver.test:")

    async def test_the_certificate_of_another_name_is_refused(self) -> None:
        receiver = self.receiver(tls=TLS(self.pem))
        reason = await refused(
            self.sender(trust_root=self.trusted), target(receiver.url("other.test"))
        )
        assert reason.startswith("could not be asked: VerificationError")
        assert receiver.requests == []

    async def test_a_certificate_that_nobody_trusts_is_refused(self) -> None:
        receiver = self.receiver(tls=TLS(self.pem))
        reason = await refused(self.sender(), target(receiver.url("receiver.test")))
        assert "certificate verify failed" in reason
        assert receiver.requests == []

    async def test_an_address_inside_is_refused_before_a_word_is_said(self) -> None:
        receiver = self.receiver(tls=TLS(self.pem))
        sender = self.sender(may_reach_private=False, trust_root=self.trusted)
        reason = await refused(sender, target(receiver.url("receiver.test")))
        assert reason.startswith("may not be asked: receiver.test leads to 127.0.0.1")
        assert receiver.connections == 0

    async def test_a_peer_that_never_says_goodbye_does_not_keep_its_connection(self) -> None:
        # Twisted's own TLS (26.10) waits for it without end.
        listening = socket.create_server(("127.0.0.1", 0))
        may_end = Flag()

        def serve() -> None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with file_with(self.pem) as path:
                context.load_cert_chain(path)
            connection, _ = listening.accept()
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(65536)
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
                may_end.wait()

        serving = Thread(target=serve)
        serving.start()
        port = listening.getsockname()[1]
        sender = self.sender(trust_root=self.trusted, timeout=0.3)
        await sender.post(target(f"https://receiver.test:{port}/"), delivery())
        try:
            await self.until(lambda: self.connections() == [])
        finally:
            may_end.set()
            serving.join(DEADLINE)
            listening.close()


def certificate_for(name: str) -> bytes:
    """A certificate that vouches for itself, and its key; PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
