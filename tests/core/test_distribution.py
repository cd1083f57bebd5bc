"""wsrelay.core.distribution"""

from __future__ import annotations

from wsrelay.core.distribution import Distribution


def test_a_value_is_counted_below_the_first_bound_that_is_not_less() -> None:
    spread = Distribution((1.0, 2.0, 5.0))
    for value in (0.0, 1.0, 1.5, 2.0, 4.0, 5.0, 5.1, 1e9):
        spread.add(value)
    assert spread.counts == [2, 2, 2, 2]
    assert spread.sum == 1e9 + 18.6
