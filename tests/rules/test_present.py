"""wsrelay.rules.present"""

from __future__ import annotations

from tests.doubles import RecordingSubscriber
from wsrelay.rules.present import Present


def test_a_user_is_present_from_his_first_connection_to_his_last() -> None:
    present = Present()
    first, second = RecordingSubscriber("1.1"), RecordingSubscriber("2.2")
    assert present.join(first, "ada") == present.join(second, "ada") == "ada"
    assert present.connections("ada") == {"1.1": first, "2.2": second}
    assert len(present) == 2
    assert present.leave("1.1") is None
    assert present.leave("2.2") == "ada"
    assert present.connections("ada") == {}
    assert len(present) == 0


def test_without_a_user_a_connection_is_a_member_by_its_socket_id() -> None:
    present = Present()
    assert present.join(RecordingSubscriber("1.1"), None) == "1.1"
    assert list(present.addressed("1.1")) == ["1.1"]
    assert present.leave("1.1") == "1.1"


def test_an_id_means_the_user_and_otherwise_the_connection() -> None:
    present = Present()
    for socket_id, user_id in (("1.1", "ada"), ("2.2", "ada"), ("3.3", "1.1")):
        present.join(RecordingSubscriber(socket_id), user_id)
    assert list(present.addressed("ada")) == ["1.1", "2.2"]
    assert list(present.addressed("2.2")) == ["2.2"]
    assert list(present.addressed("1.1")) == ["3.3"]
    assert list(present.addressed("nobody")) == []


def test_who_never_joined_can_not_leave() -> None:
    assert Present().leave("1.1") is None
