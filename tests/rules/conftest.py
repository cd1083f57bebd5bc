"""What many tests of rules need: an office, on one node and on two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.rules.office import NewOffice, an_office, rule_of_offices
from tests.rules.over_nodes import OverNodes, over_nodes


@pytest.fixture(params=["one node", "two nodes"])
def new_office(request: pytest.FixtureRequest) -> Iterator[NewOffice]:
    """Called as ``an_office``; each test that uses it runs on one node and over two."""
    if request.param == "one node":
        yield an_office
        return
    with ExitStack() as stack:

        def over_two(rate: float = 0, **rules: Any) -> OverNodes:
            return stack.enter_context(over_nodes(rule_of_offices(**rules), rate))

        yield over_two
