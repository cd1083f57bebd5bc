"""benchmarks.__main__"""

from __future__ import annotations

import pytest

from benchmarks.__main__ import arguments


def test_everything_is_measured_five_times_unless_told_otherwise() -> None:
    given = arguments([])
    assert len(given.workloads) == 11
    assert (given.peers, given.pairs, given.duration) == (["soketi", "ws", "uws"], 5, 5.0)


def test_names_are_put_in_the_order_of_their_table() -> None:
    given = arguments(["--workloads", "idle,hall", "--peers", ""])
    assert (given.workloads, given.peers) == (["hall", "idle"], [])


def test_an_unknown_name_is_told_with_those_that_are_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        arguments(["--peers", "reverb"])
    assert "'reverb' is none of: soketi, ws, uws" in capsys.readouterr().err
