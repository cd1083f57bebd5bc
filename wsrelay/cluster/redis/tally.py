"""What is counted of the other nodes; integers that only rise."""

from __future__ import annotations

from collections.abc import Iterator

#: What each of them means.
COUNTED = {
    "carried": "Publications that left for other nodes.",
    "not_carried": "Publications that other nodes may have wanted and Redis could not be given.",
    "refused": "Publishes of backends that were answered with 503, as Redis was away.",
    "envelopes_out": "Envelopes in which publications left: one a turn and channel.",
    "envelopes_in": "Envelopes of other nodes that came.",
    "envelopes_missed": "Envelopes of other nodes that are missing, as their numbers tell.",
    "envelopes_not_understood": "Envelopes of kinds that this version does not know.",
    "remarks_out": "What rules of channels told other nodes.",
    "remarks_in": "What rules of channels were told by other nodes.",
    "unanswered": "Questions about a channel that not all other nodes answered within a second.",
    "nodes_swept": "Nodes that ended without a word and whose traces this one removed.",
    "reconciled": "Times that this node came (back) to Redis and told it everything.",
}


class ClusterTally:
    """Counted as on the hot path: plain attributes."""

    __slots__ = tuple(COUNTED)

    carried: int
    not_carried: int
    refused: int
    envelopes_out: int
    envelopes_in: int
    envelopes_missed: int
    envelopes_not_understood: int
    remarks_out: int
    remarks_in: int
    unanswered: int
    nodes_swept: int
    reconciled: int

    def __init__(self) -> None:
        for name in COUNTED:
            setattr(self, name, 0)

    def told(self) -> Iterator[tuple[str, str, int]]:
        """Name, meaning and count of each."""
        for name, meaning in COUNTED.items():
            yield name, meaning, getattr(self, name)
