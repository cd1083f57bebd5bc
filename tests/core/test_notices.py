"""wsrelay.core.notices"""

from __future__ import annotations

from wsrelay.core.errors import Code
from wsrelay.core.notices import SubscriptionDenied, Tally


def test_a_tally_starts_without_any_count() -> None:
    tally = Tally()
    for name in Tally.__slots__:
        counted = getattr(tally, name)
        assert counted in (0, {}) or set(counted) == {0}, name
    assert tally.publications == 0


def test_rejections_are_counted_by_app_and_code_and_told_by_code() -> None:
    tally = Tally()
    for app_id, code in (("1", Code.BAD_MESSAGE), ("2", Code.BAD_MESSAGE), ("1", Code.NO_PONG)):
        tally.reject(app_id, code)
    tally.reject("1", Code.BAD_MESSAGE)
    assert tally.rejections == {("1", 4300): 2, ("2", 4300): 1, ("1", 4201): 1}
    assert tally.rejected(Code.BAD_MESSAGE) == 3
    assert tally.rejected(Code.CLIENT_EVENT_REJECTED) == 0


def test_a_denial_need_not_say_what_was_expected() -> None:
    assert SubscriptionDenied("a", "1.1", "room", 400, "why").expected == ""
