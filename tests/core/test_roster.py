"""wsrelay.core.roster"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import tests.properties  # noqa: F401  (how many examples)
from wsrelay.core.roster import Arrival, Departure, Member, Roster, RosterFull

ADA, BOB, CYD = Member("ada", b'{"n":1}'), Member("bob", b'{"n":2}'), Member("cyd")


def test_a_new_user_is_new_and_is_among_the_members() -> None:
    roster = Roster()
    assert roster.join("1.1", ADA, 100) == Arrival((ADA,), is_new_user=True)
    assert roster.join("2.2", BOB, 100) == Arrival((ADA, BOB), is_new_user=True)
    assert len(roster) == 2


def test_a_second_tab_of_a_user_is_no_second_user() -> None:
    roster = Roster()
    roster.join("1.1", ADA, 100)
    assert roster.join("2.2", ADA, 100) == Arrival((ADA,), is_new_user=False)
    assert len(roster) == 1


def test_a_user_is_gone_with_his_last_tab_only() -> None:
    roster = Roster()
    roster.join("1.1", ADA, 100)
    roster.join("2.2", ADA, 100)
    assert roster.leave("1.1") == Departure(gone=None)
    assert roster.leave("2.2") == Departure(gone="ada")
    assert len(roster) == 0
    assert roster.members() == ()


def test_leaving_twice_or_without_having_joined_is_nothing() -> None:
    roster = Roster()
    roster.join("1.1", ADA, 100)
    assert roster.leave("9.9") == Departure(gone=None)
    roster.leave("1.1")
    assert roster.leave("1.1") == Departure(gone=None)


def test_the_first_tabs_info_counts_until_it_leaves_then_the_oldest_remaining_ones() -> None:
    roster = Roster()
    for socket_id, info in ("1.1", b'"first"'), ("2.2", b'"second"'), ("3.3", b'"third"'):
        roster.join(socket_id, Member("ada", info), 100)
    assert roster.members() == (Member("ada", b'"first"'),)
    roster.leave("1.1")
    assert roster.members() == (Member("ada", b'"second"'),)
    roster.leave("3.3")
    assert roster.members() == (Member("ada", b'"second"'),)


def test_joining_twice_with_one_connection_changes_nothing() -> None:
    roster = Roster()
    roster.join("1.1", ADA, 100)
    assert roster.join("1.1", BOB, 100) == Arrival((ADA,), is_new_user=False)
    assert roster.leave("1.1") == Departure(gone="ada")
    assert len(roster) == 0


def test_a_full_roster_admits_no_new_user_and_says_how_many_it_holds() -> None:
    roster = Roster()
    roster.join("1.1", ADA, 2)
    roster.join("2.2", BOB, 2)
    with pytest.raises(RosterFull) as raised:
        roster.join("3.3", CYD, 2)
    assert raised.value.most == 2
    assert roster.members() == (ADA, BOB)
    assert roster.leave("3.3") == Departure(gone=None)


def test_a_full_roster_admits_another_tab_of_a_user_who_is_in() -> None:
    roster = Roster()
    roster.join("1.1", ADA, 1)
    assert roster.join("2.2", ADA, 1) == Arrival((ADA,), is_new_user=False)
    with pytest.raises(RosterFull):
        roster.join("3.3", BOB, 1)


def test_a_place_is_free_again_when_a_user_has_left_with_all_his_tabs() -> None:
    roster = Roster()
    roster.join("1.1", ADA, 1)
    roster.join("2.2", ADA, 1)
    roster.leave("1.1")
    with pytest.raises(RosterFull):
        roster.join("3.3", BOB, 1)
    roster.leave("2.2")
    assert roster.join("3.3", BOB, 1).is_new_user


def test_members_stand_in_the_order_of_their_arrival() -> None:
    roster = Roster()
    for socket_id, member in ("1.1", CYD), ("2.2", ADA), ("3.3", BOB), ("4.4", CYD):
        roster.join(socket_id, member, 100)
    assert roster.members() == (CYD, ADA, BOB)
    roster.leave("1.1")  # the other tab keeps the place
    assert roster.members() == (CYD, ADA, BOB)


MOST = 3
socket_ids = st.sampled_from([f"{number}.{number}" for number in range(8)])
members = st.builds(
    Member, st.sampled_from(["ada", "bob", "cyd", "dan", "eve"]), st.sampled_from([b"1", b"2"])
)


class RosterAgainstAList(RuleBasedStateMachine):
    """The same comings and goings in a list of (socket id, member), which says what is true."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster()
        self.present: list[tuple[str, Member]] = []

    def users(self) -> dict[str, Member]:
        first: dict[str, Member] = {}
        for _, member in self.present:
            first.setdefault(member.user_id, member)
        return first

    @rule(socket_id=socket_ids, member=members)
    def join(self, socket_id: str, member: Member) -> None:
        users = self.users()
        is_in = socket_id in dict(self.present)
        if not is_in and member.user_id not in users and len(users) >= MOST:
            with pytest.raises(RosterFull):
                self.roster.join(socket_id, member, MOST)
            return
        arrival = self.roster.join(socket_id, member, MOST)
        if not is_in:
            self.present.append((socket_id, member))
        assert arrival.is_new_user == (not is_in and member.user_id not in users)
        assert arrival.members == self.roster.members()

    @rule(socket_id=socket_ids)
    def leave(self, socket_id: str) -> None:
        before = self.users()
        self.present = [entry for entry in self.present if entry[0] != socket_id]
        gone = set(before) - set(self.users())
        assert self.roster.leave(socket_id).gone == (gone.pop() if gone else None)

    @invariant()
    def the_members_are_those_of_the_list(self) -> None:
        assert {m.user_id: m for m in self.roster.members()} == self.users()
        assert len(self.roster) == len(self.users()) == len(self.roster.members())


TestRosterAgainstAList = RosterAgainstAList.TestCase
