"""wsrelay.core.notices"""

from __future__ import annotations

from wsrelay.core.notices import SubscriptionDenied, Tally


def test_a_tally_starts_at_zero() -> None:
    tally = Tally()
    assert [getattr(tally, name) for name in Tally.__slots__] == [0] * len(Tally.__slots__)


def test_a_denial_need_not_say_what_was_expected() -> None:
    assert SubscriptionDenied("a", "1.1", "room", 400, "why").expected == ""
