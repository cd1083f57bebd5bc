"""What every client should have heard, what it did hear, and where the two differ."""

from __future__ import annotations

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

    def touches(self, node: int, begin: float, end: float) -> bool:
        return (self.node is None or self.node == node) and self.begin <= end and begin <= self.well


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

    def doubled(self) -> int:
        return sum(len(stay.heard) - len(set(stay.heard)) for stay in self.stays)

    def figures(self) -> str:
        worst = max(self.converged, default=0.0)
        return (
            f"publishes acknowledged {len(self.published)}, refused {self.refused}; "
            f"deliveries {sum(len(stay.heard) for stay in self.stays)}, "
            f"due {len(self.due())}, lost {len(self.lost())}, doubled {self.doubled()}; "
            f"disturbances {len(self.disturbances)}, ghosts {self.ghosts}; "
            f"converged within {worst:.1f} s"
        )
