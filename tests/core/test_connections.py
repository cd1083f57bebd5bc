"""wsrelay.core.connections"""

from __future__ import annotations

from wsrelay.core.connections import Connections
from wsrelay.core.errors import Code


class Talk:
    """A conversation that remembers how it was ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[Code, str]] = []

    def close(self, code: Code, message: str) -> None:
        self.ends.append((code, message))


ADA, BOB, CYD = Talk(), Talk(), Talk()


def test_connections_are_counted_by_app() -> None:
    connections = Connections()
    connections.add("a", "1.1", ADA)
    connections.add("a", "2.2", BOB)
    connections.add("b", "1.1", CYD)
    assert (connections.count("a"), connections.count("b"), connections.count("c")) == (2, 1, 0)
    assert len(connections) == 3
    assert list(connections) == [ADA, BOB, CYD]


def test_nothing_is_kept_of_a_connection_that_was_removed() -> None:
    connections = Connections()
    connections.add("a", "1.1", ADA)
    connections.add("a", "2.2", BOB)
    connections.remove("a", "1.1")
    assert list(connections) == [BOB]
    connections.remove("a", "2.2")
    assert connections._apps == {}


def test_removing_a_connection_that_was_never_added_is_nothing() -> None:
    connections = Connections()
    connections.remove("a", "1.1")
    connections.add("a", "1.1", ADA)
    connections.remove("a", "9.9")
    connections.remove("b", "1.1")
    assert list(connections) == [ADA]


def test_asking_about_an_unknown_app_leaves_no_trace() -> None:
    connections = Connections()
    assert connections.count("nobody's") == 0
    assert connections._apps == {}


def test_a_connection_is_found_by_its_app_and_socket_id() -> None:
    connections = Connections()
    connections.add("a", "1.1", ADA)
    assert connections.get("a", "1.1") is ADA
    assert connections.get("a", "2.2") is None
    assert connections.get("b", "1.1") is None
