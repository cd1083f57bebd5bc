"""What every client should have heard, what it did hear, and where the two differ.

A publication that was acknowledged is *due* to a client that was subscribed on one connection from
before it was sent until ``slack`` seconds after it was acknowledged, if in that time its way was
whole: the publisher's node, the client's node, and Redis. Pub/sub keeps nothing for whoever has
lost his connection, so the way is not whole

* of a node that is killed, stopped or cut off from Redis: from then until all nodes
  are ready and agree with all clients on who is there, on whichever side of the way that node is;
* of Redis, killed or paused: from then for everybody. With replicas the gap lasts as long as they
  take to put one in the master's place, which their own timeouts say (``topologies.FAILOVER`` is
  the bound); healed is when Redis' own tools say that there is one master for everything.

A slot of a cluster that moves while the cluster lives excuses nothing: what is acknowledged
meanwhile is due. Of anything that is *not* acknowledged nothing is due, but it may not come twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Disturbance:
    """Something broken on purpose. ``node`` is ``None`` for Redis, which concerns everybody."""

    what: str
    node: int | None
    begin: float
    #: When it was healed, and when everything was well again.
    end: float = float("inf")
    well: float = float("inf")
    #: Whether publications may be lost to it.
    is_excuse: bool = True

    def touches(self, node: int, begin: float, end: float) -> bool:
        is_meant = self.is_excuse and (self.node is None or self.node == node)
        return is_meant and self.begin <= end and begin <= self.well


@dataclass
class Stay:
    """One connection of a client: the node, and what it heard there and when it was there."""

    node: int
    begin: float
    end: float = float("inf")
    heard: list[int] = field(default_factory=list)


@dataclass
class Published:
    number: int
    node: int
    begin: float
    end: float


@dataclass
class Accounts:
    """All of a run. Times are seconds of one clock."""

    published: list[Published] = field(default_factory=list)
    refused: int = 0
    stays: list[Stay] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)
    #: Seconds from healing until everybody had the same and right picture.
    converged: list[float] = field(default_factory=list)
    ghosts: int = 0

    #: Seconds that a publication may need to arrive.
    slack = 1.0

    def due(self) -> list[tuple[Stay, Published]]:
        """Who should have heard what: whoever was there all the time, on an undisturbed way."""
        return [
            (stay, each)
            for each in self.published
            for stay in self.stays
            if stay.begin < each.begin
            and stay.end > each.end + self.slack
            and not any(
                disturbance.touches(node, each.begin, each.end + self.slack)
                for disturbance in self.disturbances
                for node in (stay.node, each.node)
            )
        ]

    def lost(self) -> list[tuple[Stay, Published]]:
        return [(stay, each) for stay, each in self.due() if each.number not in stay.heard]

    def story_of_losses(self) -> str:
        """What was lost when, between what was broken: where to look."""
        lost = self.lost()
        start = min((each.begin for each in self.published), default=0.0)
        events = [
            (
                each.begin,
                f"{each.what} (node {each.node}), healed {each.end - start:.2f}, "
                f"well {each.well - start:.2f}",
            )
            for each in self.disturbances
        ]
        ways = Counter((each.number, each.begin, each.node, stay.node) for stay, each in lost)
        events += [
            (begin, f"lost: {number} from node {node} to {count} on node {there}")
            for (number, begin, node, there), count in ways.items()
        ]
        return "\n".join(f"{at - start:8.2f} {what}" for at, what in sorted(events))

    def doubled(self) -> int:
        return sum(len(stay.heard) - len(set(stay.heard)) for stay in self.stays)

    def figures(self) -> str:
        worst = max(self.converged, default=0.0)
        kinds = Counter(each.what for each in self.disturbances)
        return (
            f"publishes acknowledged {len(self.published)}, refused {self.refused}; "
            f"deliveries {sum(len(stay.heard) for stay in self.stays)}, "
            f"due {len(self.due())}, lost {len(self.lost())}, doubled {self.doubled()}; "
            f"ghosts {self.ghosts}; converged within {worst:.1f} s; "
            f"disturbances {len(self.disturbances)}: "
            + ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in kinds.items())
        )
