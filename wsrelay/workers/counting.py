"""What the parent tells of all workers together: metrics, the state for scripts, one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..metrics.process import Process
from ..metrics.summed import Family, Summed, taken
from ..metrics.summed_status import Document, Told, gone_with, summed
from .crew import Crew
from .slot import Slot, State
from .words import Beat


class Counting:
    """``started_at`` is Unix time, ``uptime`` tells seconds."""

    def __init__(self, crew: Crew, started_at: float, uptime: Callable[[], float]) -> None:
        self.summed = Summed(self._own)
        self._crew = crew
        self._started_at = started_at
        self._uptime = uptime
        self._process = Process(started_at)
        self._gone: Document = {}

    def beat(self, slot: Slot, beat: Beat) -> None:
        self.summed.tell(slot.number, beat.families)

    def gone(self, slot: Slot) -> None:
        """Its process is no more; its totals stay."""
        self.summed.forget(slot.number)
        self._gone = gone_with(self._gone, slot.status)

    def status(self) -> Document:
        told = [
            Told(slot.number, slot.pid, _fault(slot), slot.restarts, slot.status)
            for slot in self._crew
        ]
        return summed(told, self._gone, self._started_at, self._uptime())

    def line(self) -> str:
        """As the service manager shows it."""
        connections, channels = (
            sum(slot.status.get(name, 0) for slot in self._crew)
            for name in ("connections", "channels")
        )
        serving, all_of_them = len(self._crew.serving), len(self._crew.slots)
        workers = f"{serving} of {all_of_them}" if serving < all_of_them else f"{serving}"
        return f"{connections} connections, {channels} channels, {workers} workers"

    def _own(self) -> Iterator[Family]:
        yield Family(
            "wsrelay_ready",
            "1 when the relay may be given traffic, as /ready says.",
            "gauge",
            [("wsrelay_ready", {}, float(self._crew.is_complete))],
        )
        yield self._of_each(
            "wsrelay_worker_up", "gauge", "1 when the worker serves.", lambda slot: is_up(slot)
        )
        yield self._of_each(
            "wsrelay_worker_connections",
            "gauge",
            "Open connections of the worker.",
            lambda slot: slot.status.get("connections", 0),
        )
        yield self._of_each(
            "wsrelay_worker_restarts",
            "counter",
            "How often the worker was replaced.",
            lambda slot: slot.restarts,
        )
        yield from taken(self._process)

    def _of_each(
        self, name: str, kind: str, meaning: str, value: Callable[[Slot], float]
    ) -> Family:
        sample = f"{name}_total" if kind == "counter" else name
        return Family(
            name,
            meaning,
            kind,
            [(sample, {"worker": str(slot.number)}, float(value(slot))) for slot in self._crew],
        )


def is_up(slot: Slot) -> bool:
    return slot.state is State.SERVING


def _fault(slot: Slot) -> str:
    if is_up(slot):
        return "" if slot.status else "nothing was heard of it yet"
    return "it is starting" if slot.state is State.STARTING else "there is none at the moment"
