"""What is counted of the other nodes; integers that only rise."""

from __future__ import annotations


class ClusterTally:
    __slots__ = (
        "carried",
        "envelopes_in",
        "envelopes_missed",
        "envelopes_not_understood",
        "envelopes_out",
        "nodes_swept",
        "not_carried",
        "reconciled",
        "refused",
    )

    def __init__(self) -> None:
        #: Publications that left for other nodes, and the envelopes that held them.
        self.carried = 0
        self.envelopes_out = 0
        #: Publications that other nodes may have wanted and that Redis could not be given.
        self.not_carried = 0
        #: Backends' requests that were answered with 503.
        self.refused = 0
        self.envelopes_in = 0
        #: Envelopes of other nodes that never came, as their numbers tell.
        self.envelopes_missed = 0
        self.envelopes_not_understood = 0
        #: Nodes that ended without a word, whose traces this one removed.
        self.nodes_swept = 0
        #: Times that this node came back to Redis.
        self.reconciled = 0
