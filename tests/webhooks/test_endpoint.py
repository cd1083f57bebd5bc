"""wsrelay.webhooks.endpoint: which addresses are connected to. (TLS: see test_sender.py.)"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from tests.webhooks.resolving import Names
from wsrelay.webhooks.endpoint import AddressRefused, PublicEndpoint


class Attempt:
    """An attempt to connect to a name that leads to these addresses."""

    def __init__(self, names: Names, host: str = "example.com") -> None:
        self.reactor: Any = MemoryReactorClock()
        self.reactor.installNameResolver(names)
        self.outcome: list[Any] = []
        endpoint = PublicEndpoint(self.reactor, host, 443, timeout=10)
        endpoint.connect(Factory.forProtocol(Protocol)).addBoth(self.outcome.append)
        self.reactor.advance(5)

    def addresses(self) -> list[str]:
        """To which connections were tried."""
        return [client[0] for client in self.reactor.tcpClients]

    def failure(self) -> Failure:
        [failure] = self.outcome
        assert isinstance(failure, Failure)
        return failure


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700:4700::1111"])
def test_a_public_address_is_connected_to(address: str) -> None:
    attempt = Attempt(Names(example_com=[address]))
    assert attempt.addresses() == [address]
    assert attempt.outcome == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1"])
def test_a_name_that_leads_inside_is_refused_and_nothing_is_connected_to(address: str) -> None:
    attempt = Attempt(Names(example_com=[address]))
    assert attempt.addresses() == []
    with pytest.raises(AddressRefused) as refused:
        attempt.failure().raiseException()
    assert str(refused.value).startswith(f"example.com leads to {address}, a ")
    assert "webhook_private_addresses" in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:10.0.0.1"])
def test_an_address_in_place_of_a_name_is_judged_alike(host: str) -> None:
    names = Names()
    names._answers[host] = [[host]]
    attempt = Attempt(names, host)
    assert attempt.addresses() == []
    assert attempt.failure().check(AddressRefused)


def test_of_several_addresses_the_public_ones_are_tried() -> None:
    attempt = Attempt(Names(example_com=["10.0.0.1", "1.1.1.1", "::1", "2606:4700:4700::1111"]))
    assert attempt.addresses() == ["1.1.1.1", "2606:4700:4700::1111"]


def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    names = Names(example_com=[["1.1.1.1"], ["127.0.0.1"]])
    attempt = Attempt(names)
    assert attempt.addresses() == ["1.1.1.1"]
    assert names.asked == ["example.com"]


def test_a_public_address_that_refuses_is_no_refused_address() -> None:
    attempt = Attempt(Names(example_com=["10.0.0.1", "1.1.1.1"]))
    [client] = attempt.reactor.tcpClients
    client[2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
    attempt.reactor.advance(5)
    assert attempt.failure().check(ConnectionRefusedError)


def test_a_name_that_leads_nowhere_is_no_refused_address() -> None:
    assert Attempt(Names()).failure().check(DNSLookupError)
