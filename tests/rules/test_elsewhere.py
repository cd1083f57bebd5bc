"""wsrelay.rules.elsewhere: who is in a channel by way of other nodes."""

from __future__ import annotations

from wsrelay.core.remarks import Came
from wsrelay.rules.elsewhere import Elsewhere

ADA, TAB, BOB = Came("1.1", "ada"), Came("1.2", "ada"), Came("2.1", "bob")


def told(elsewhere: Elsewhere, node: str, *connections: Came) -> list[str]:
    origin = node.partition(".")[0]
    return elsewhere.told(origin, node, connections, is_first=True, is_last=True)


def test_a_member_is_known_by_user_id_and_by_socket_id_until_his_last_tab_is_gone() -> None:
    elsewhere = Elsewhere()
    elsewhere.came("a", "1.1", "ada")
    elsewhere.came("b", "1.2", "ada")
    elsewhere.came("b", "3.3", None)
    assert all(to in elsewhere for to in ("ada", "1.1", "1.2", "3.3"))
    assert elsewhere.went("1.1") is None
    assert elsewhere.went("1.1") is None
    assert elsewhere.went("1.2") == "ada"
    assert elsewhere.went("3.3") == "3.3"
    assert "ada" not in elsewhere
    assert elsewhere._origins == {}


def test_what_a_node_tells_of_itself_replaces_what_it_told_before() -> None:
    elsewhere = Elsewhere()
    assert told(elsewhere, "a.1", ADA, BOB) == []
    assert told(elsewhere, "a.2", TAB) == ["bob"]
    assert "1.1" not in elsewhere
    assert "ada" in elsewhere


def test_in_several_parts_it_replaces_when_it_is_whole() -> None:
    elsewhere = Elsewhere()
    told(elsewhere, "a.1", ADA, BOB)
    assert elsewhere.told("a", "a.1", [ADA], is_first=True, is_last=False) == []
    assert "bob" in elsewhere
    assert elsewhere.told("a", "a.1", [], is_first=False, is_last=True) == ["bob"]


def test_a_node_that_died_takes_its_own_along_unless_it_goes_on_by_another_name() -> None:
    elsewhere = Elsewhere()
    told(elsewhere, "a.2", ADA)
    told(elsewhere, "b.1", TAB, BOB)
    assert elsewhere.died("a", "a.1") == []
    assert "1.1" in elsewhere
    assert elsewhere.died("b", "b.1") == ["bob"]
    assert elsewhere.died("a", "a.2") == ["ada"]


def test_who_is_not_heard_of_again_is_gone() -> None:
    elsewhere = Elsewhere()
    told(elsewhere, "a.1", ADA)
    told(elsewhere, "b.1", BOB)
    elsewhere.parted()
    told(elsewhere, "a.2", ADA)
    assert elsewhere.forget_silent() == ["bob"]
    assert elsewhere.forget_silent() == []
