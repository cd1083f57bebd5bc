"""wsrelay.core.publication"""

from __future__ import annotations

import pytest

from wsrelay.core.frame import Frame
from wsrelay.core.publication import Publication


def test_a_publication_excludes_nobody_unless_told() -> None:
    assert Publication("a", "room", Frame(b"{}")).excluded_socket_id is None


def test_a_publication_does_not_change() -> None:
    publication = Publication("a", "room", Frame(b"{}"))
    with pytest.raises(AttributeError):
        publication.channel = "hall"  # type: ignore[misc]
