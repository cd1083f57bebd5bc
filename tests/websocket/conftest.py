"""A server in memory for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.memory import Server, running


@pytest.fixture
def relay() -> Iterator[Server]:
    with running() as server:
        yield server
