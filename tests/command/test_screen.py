"""wsrelay.command.screen"""

from __future__ import annotations

import pytest

from wsrelay.command.screen import WIDE, console, on_one_line


def test_what_others_wrote_neither_moves_the_cursor_nor_begins_a_line() -> None:
    assert on_one_line("a \u2603") == "a \u2603"
    assert on_one_line("a\n\x1b[2J\x9bb") == r"a\n\x1b[2J\x9bb"


def test_in_a_pipe_no_line_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("word " * (WIDE // 10))
    assert capsys.readouterr().out.count("\n") == 1
