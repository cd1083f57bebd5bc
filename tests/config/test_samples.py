"""The sample in ``etc/`` is a configuration that starts as it is."""

from __future__ import annotations

from pathlib import Path

from wsrelay.config.resolve import Given, resolve

SAMPLE = Path(__file__).parents[2] / "etc" / "wsrelay.toml"


def test_the_sample_is_read_and_names_one_app() -> None:
    settings = resolve(Given(config=str(SAMPLE)), {})
    assert settings.port == 6001
    assert [app.id for app in settings.apps] == ["1001"]
