"""wsrelay.__main__"""

from __future__ import annotations

import pytest

from wsrelay import __main__


def test_it_is_twistd_in_the_foreground_with_the_same_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called_with: list[list[str]] = []
    arguments = ["wsrelay", "--port", "6002"]
    monkeypatch.setattr("sys.argv", arguments)
    monkeypatch.setattr(__main__, "run", lambda: called_with.append(list(arguments)))
    __main__.main()
    assert called_with == [
        ["wsrelay", "--nodaemon", "--pidfile=", "wsrelay", "--port", "6002"],
    ]
