"""wsrelay.config.reference"""

from __future__ import annotations

from pathlib import Path

from wsrelay.config.reference import reference
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App, Webhook
from wsrelay.core.rules import Directed, Newest, Proximity, Rule, Turn

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_in_docs_is_what_the_definitions_say() -> None:
    assert PAGE.read_text() == reference(), (
        "run: python -m wsrelay.config.reference > docs/configuration.md"
    )


def test_every_setting_has_a_row_that_says_what_it_is_for() -> None:
    rows = {
        row.split(" | ")[0].strip("| `"): row
        for row in reference().splitlines()
        if row.startswith("| `")
    }
    for kind in (Settings, App, Webhook, Rule, Newest, Directed, Proximity, Turn):
        for name in kind.__struct_fields__:
            if name not in ("apps", "webhooks", "rules"):
                assert rows[name].split(" | ")[-1].strip(" |"), name
