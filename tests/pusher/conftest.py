from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pusher.relayed import Relayed


@pytest.fixture
def relayed() -> Iterator[Relayed]:
    """A relay of one app with the settings that an app has by default."""
    relayed = Relayed()
    yield relayed
    assert relayed.tasks.failures == []
