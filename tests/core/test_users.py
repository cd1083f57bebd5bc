"""wsrelay.core.users"""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from tests.doubles import drive
from wsrelay.core.users import GRACE, SignedIn


class Users:
    """The signed-in users of a node, and who has gone offline."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.offline: list[tuple[str, str]] = []
        self.signed_in = SignedIn(
            self.clock.callLater, lambda app_id, user_id: self.offline.append((app_id, user_id))
        )

    def comes(self, user_id: str, socket_id: str, app_id: str = "a") -> bool:
        return drive(self.signed_in.sign_in(app_id, user_id, socket_id))

    def goes(self, user_id: str, socket_id: str, app_id: str = "a") -> None:
        drive(self.signed_in.sign_out(app_id, user_id, socket_id))

    def online(self, *user_ids: str, app_id: str = "a") -> set[str]:
        return drive(self.signed_in.online(app_id, user_ids))


@pytest.fixture
def users() -> Users:
    return Users()


def test_a_user_comes_online_with_his_first_connection_only(users: Users) -> None:
    assert users.comes("42", "1.1")
    assert not users.comes("42", "2.2")
    assert users.online("42", "43") == {"42"}


def test_a_user_goes_offline_some_seconds_after_his_last_connection(users: Users) -> None:
    users.comes("42", "1.1")
    users.comes("42", "2.2")
    users.goes("42", "1.1")
    users.clock.advance(GRACE)
    users.goes("42", "2.2")
    users.clock.advance(GRACE - 0.1)
    assert users.offline == []
    assert users.online("42") == {"42"}
    users.clock.advance(0.1)
    assert users.offline == [("a", "42")]
    assert users.online("42") == set()


def test_turning_a_page_is_not_noticed(users: Users) -> None:
    users.comes("42", "1.1")
    users.goes("42", "1.1")
    users.clock.advance(GRACE - 0.1)
    assert not users.comes("42", "2.2")
    users.clock.advance(10 * GRACE)
    assert users.offline == []


def test_who_comes_back_later_comes_online_again(users: Users) -> None:
    users.comes("42", "1.1")
    users.goes("42", "1.1")
    users.clock.advance(GRACE)
    assert users.comes("42", "1.1")


def test_signing_out_without_having_signed_in_is_nothing(users: Users) -> None:
    users.goes("42", "1.1")
    users.comes("42", "1.1")
    users.goes("42", "9.9")
    users.clock.advance(10 * GRACE)
    assert users.offline == []
    assert users.online("42") == {"42"}


def test_apps_have_users_of_their_own(users: Users) -> None:
    users.comes("42", "1.1")
    assert users.online("42", app_id="b") == set()
    assert users.comes("42", "1.1", app_id="b")


def test_nothing_is_kept_of_users_who_are_gone(users: Users) -> None:
    users.comes("42", "1.1")
    users.goes("42", "1.1")
    users.clock.advance(GRACE)
    assert len(users.signed_in) == 0
    assert users.signed_in._leaving == {}
    assert users.clock.getDelayedCalls() == []


def test_at_the_end_nobody_is_told_any_more() -> None:
    clock, told = Clock(), []
    users = SignedIn(clock.callLater, lambda *user: told.append(user))
    drive(users.sign_in("app", "ada", "1.1"))
    drive(users.sign_out("app", "ada", "1.1"))
    users.end()
    assert clock.getDelayedCalls() == []
    assert told == []
