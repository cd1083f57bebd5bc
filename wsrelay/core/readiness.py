"""Whether this node should be given traffic, and if not, why."""

from __future__ import annotations


class Readiness:
    """Reasons against sending anybody here; with none the node is ready.

    Each is kept under the name of the part that gives it (``start``, ``drain``, ``redis``), which
    alone takes it back. The words are shown to operators and to load balancers: no secrets.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    @property
    def is_ready(self) -> bool:
        return not self._reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """In the order in which they came."""
        return tuple(self._reasons.values())

    def withdraw(self, part: str, reason: str) -> None:
        """Not ready from now on, as ``part`` says; its newest reason counts."""
        self._reasons[part] = reason

    def restore(self, part: str) -> None:
        """``part`` has nothing against it any more."""
        self._reasons.pop(part, None)
