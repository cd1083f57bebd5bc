"""A reload of all workers: each judges the new settings, and either all take them up or none.

The parent reads them, once for all. A worker that is started later starts with what is in use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from msgspec import structs
from twisted.logger import Logger

from ..config.handed import packed
from ..config.settings import Settings, is_development, tls_listeners
from ..reloading import FAULTS, judged, say_fault, say_pending
from ..tls.files import contents, with_whole_paths
from .crew import Crew
from .words import Judged, Prepare, TakeUp

_log = Logger(namespace="wsrelay")


class Configuration:
    """What the workers are given: the settings in use, and the files that they name."""

    def __init__(self, settings: Settings, read: Callable[[], Settings], crew: Crew) -> None:
        """``read`` reads the settings anew."""
        self.settings = settings
        self._started_for_development = is_development(settings)
        self._read = read
        self._crew = crew
        self._directory = os.getcwd()
        #: What stood in the files when they could be read, by their whole paths.
        self.files: Mapping[str, bytes] = contents(self._whole(settings).tls)

    @property
    def packed(self) -> bytes:
        """The settings for a worker, which may be in another directory."""
        return packed(self._whole(self.settings))

    def _whole(self, settings: Settings) -> Settings:
        listeners = [with_whole_paths(each, self._directory) for each in tls_listeners(settings)]
        return structs.replace(settings, tls=tuple(listeners), tls_cert="", tls_key="")

    async def reload(self) -> None:
        """Everything is taken up by all when this returns, or nothing, and the log says which."""
        try:
            new, pending = judged(self.settings, self._read(), self._started_for_development)
        except FAULTS as fault:
            say_fault(fault)
            return
        word = Prepare(packed(self._whole(new)))
        asked = {slot: slot.pid for slot in self._crew.serving}
        answers = await self._crew.ask(word, Judged, list(asked))
        for slot, pid in asked.items():
            answer = answers.get(slot.number)
            if answer is None and slot.pid == pid:
                say_fault(f"worker {slot.number} does not answer")
                return
            if answer is not None and answer.fault:
                say_fault(answer.fault)
                return
        self.settings = new
        self.files = {**self.files, **contents(self._whole(new).tls)}
        for slot in self._crew:
            if slot.pid != asked.get(slot):  # it has been started meanwhile, with what was before
                slot.say(word)
            slot.say(TakeUp())
        _log.info("Reload: done by {many} workers", many=len(self._crew.slots))
        say_pending(pending)
