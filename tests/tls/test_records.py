"""wsrelay.tls.records: what it hears, says and ends with is what Twisted's protocol does."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.properties import thorough
from tests.tls.authority import Authority
from tests.tls.handshake import client_context
from wsrelay.tls import records
from wsrelay.tls.pair import Pair, read_pair
from wsrelay.tls.profile import new_context
from wsrelay.tls.records import LONGEST, RecordProtocol

ROOT = Authority()


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> SSL.Context:
    directory: Path = tmp_path_factory.mktemp("tls")
    pair: Pair = read_pair(ROOT.issue("relay.example").store(directory))
    return new_context(pair, "1.2")


class App(Protocol):
    """Hears, and answers as it is told to."""

    transport: Any

    def __init__(self) -> None:
        self.heard = b""
        self.ended: list[str] = []
        #: What is done when something is heard.
        self.then = ""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        then, self.then = self.then, ""
        if then == "answer":
            self.transport.write(b"answer to " + data[:10])
        elif then == "lose":
            self.transport.write(b"goodbye")
            self.transport.loseConnection()
        elif then == "abort":
            self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.append(repr(reason.value))


class Transport(StringTransport):
    """One that says in the order in which it happened how it was closed."""

    is_aborted = False

    def abortConnection(self) -> None:
        self.is_aborted = True


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def serverConnectionForTLS(self, protocol: object) -> SSL.Connection:
        return SSL.Connection(self._context, None)


@dataclass
class Conversation:
    """A client (Python's ssl) and a server of one of the two classes."""

    kind: type[TLSMemoryBIOProtocol]
    context: SSL.Context
    version: ssl.TLSVersion
    client_heard: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app, self.transport = App(), Transport()
        behind = Factory.forProtocol(lambda: self.app)
        behind.noisy = False
        factory = TLSMemoryBIOFactory(Creator(self.context), False, behind, Clock())
        factory.protocol = self.kind
        self.server: Any = factory.buildProtocol(None)
        trusting = client_context(ROOT, minimum_version=self.version, maximum_version=self.version)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = trusting.wrap_bio(self._in, self._out, server_hostname="relay.example")
        self.server.makeConnection(self.transport)

    def shake_hands(self) -> None:
        for _ in range(3):
            with suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.carry()

    def carry(self, cuts: Iterator[int] | None = None, *, is_broken: bool = False) -> None:
        """From the client to the server in pieces, and what that brought back."""
        data = self._out.read()
        if is_broken and data:
            data = data[:-1] + bytes([data[-1] ^ 1])
        while data:
            size = next(cuts) if cuts is not None else len(data)
            if not self.transport.disconnecting and not self.transport.is_aborted:
                self.server.dataReceived(data[:size])
            data = data[size:]
        self.hear()

    def hear(self) -> None:
        self._in.write(self.transport.value())
        self.transport.clear()
        try:
            while data := self.client.read(LONGEST):
                self.client_heard.append(data)
            self.client_heard.append("goodbye")
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.client_heard.append(error.reason)

    def seen(self) -> object:
        said = b"".join(each for each in self.client_heard if isinstance(each, bytes))
        other = [each for each in self.client_heard if not isinstance(each, bytes)]
        transport = self.transport
        closed = transport.disconnecting, transport.is_aborted
        return self.app.heard, self.app.ended, said, other, closed


sizes = st.one_of(st.integers(1, 300), st.sampled_from([0, LONGEST - 1, LONGEST, 3 * LONGEST]))
steps = st.one_of(
    st.tuples(st.just("client says"), sizes),
    st.tuples(st.just("client says something broken"), st.integers(1, 300)),
    st.tuples(st.just("server says"), sizes),
    st.tuples(st.just("next time"), st.sampled_from(["answer", "lose", "abort"])),
    st.tuples(st.sampled_from(["client leaves", "server leaves", "cut"]), st.just(0)),
)


def run(kind: type[TLSMemoryBIOProtocol], context: SSL.Context, plan: Any) -> list[object]:
    version, cut, is_early, todo = plan
    conversation = Conversation(kind, context, version)
    if is_early:  # before the handshake
        conversation.server.write(b"early")
    conversation.shake_hands()
    seen = [conversation.seen()]
    has_ended = False
    for what, value in todo:
        if has_ended:
            break
        if what.startswith("client says"):
            with suppress(ssl.SSLError):  # its own end is over
                conversation.client.write(b"c" * value)
            is_broken = what.endswith("broken")
            conversation.carry(iter(lambda: cut, 0), is_broken=is_broken)
        elif what == "server says":
            conversation.server.write(b"s" * value)
            conversation.hear()
        elif what == "next time":
            conversation.app.then = value
        elif what == "client leaves":
            with suppress(ssl.SSLError, ssl.SSLWantReadError):
                conversation.client.unwrap()
            conversation.carry()
        elif what == "server leaves":
            conversation.server.loseConnection()
            conversation.hear()
        else:
            has_ended = True
            conversation.server.connectionLost(Failure(ConnectionDone()))
            conversation.server.write(b"too late")
        seen.append((what, conversation.seen()))
    return seen


@given(
    plan=st.tuples(
        st.sampled_from([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]),
        st.sampled_from([1, 5, 29, 1000, 1 << 20]),
        st.booleans(),
        st.lists(steps, max_size=8),
    )
)
@thorough
def test_whatever_is_said_both_do_the_same(context: SSL.Context, plan: Any) -> None:
    assert run(RecordProtocol, context, plan) == run(TLSMemoryBIOProtocol, context, plan)


def test_many_records_in_one_piece_are_all_heard(context: SSL.Context) -> None:
    conversation = Conversation(RecordProtocol, context, ssl.TLSVersion.TLSv1_3)
    conversation.shake_hands()
    for number in range(50):
        conversation.client.write(b"%d," % number)
    conversation.carry()
    assert conversation.app.heard == b"".join(b"%d," % number for number in range(50))


def test_a_record_that_was_changed_on_its_way_ends_it_and_tells_why(context: SSL.Context) -> None:
    conversation = Conversation(RecordProtocol, context, ssl.TLSVersion.TLSv1_3)
    conversation.shake_hands()
    conversation.client.write(b"hello")
    conversation.carry(is_broken=True)
    assert conversation.app.heard == b""
    assert conversation.transport.disconnecting
    conversation.server.connectionLost(Failure(ConnectionDone()))
    assert "bad record mac" in conversation.app.ended[0]


def test_what_openssl_does_not_take_at_once_goes_twisteds_way(
    context: SSL.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation(RecordProtocol, context, ssl.TLSVersion.TLSv1_3)
    conversation.shake_hands()
    monkeypatch.setattr(records, "_write", lambda ssl, data, size: -1)
    conversation.server.write(b"all the same")
    conversation.hear()
    assert conversation.client_heard == [b"all the same"]


def test_after_an_abort_nothing_more_is_heard(context: SSL.Context) -> None:
    conversation = Conversation(RecordProtocol, context, ssl.TLSVersion.TLSv1_3)
    conversation.shake_hands()
    conversation.app.then = "abort"
    conversation.client.write(b"one")
    conversation.client.write(b"two")
    conversation.carry()
    assert conversation.app.heard == b"one"
    assert conversation.transport.is_aborted
