"""A child process that is spoken to in JSON, one object a line.

A command goes to its standard input and is answered by its number; between the answers come reports
of what its clients heard. The JavaScript half is ``js/lines.mjs``.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Condition, Thread
from typing import IO, Any, TypeVar

DEADLINE = 20.0
"""Seconds after which what has not happened counts as missing; no passing test waits so long."""

Found = TypeVar("Found")


class CommandFailed(Exception):
    """The library has thrown; ``status`` and ``body`` are of its HTTP answer, if it had one."""

    def __init__(self, message: str, status: int | None = None, body: str | None = None) -> None:
        super().__init__(message, status, body)
        self.status = status
        self.body = body


class Program:
    """One running Node program, its reports kept in their order."""

    def __init__(
        self, arguments: Sequence[str | Path], *, cwd: Path, deadline: float = DEADLINE
    ) -> None:
        self._deadline = deadline
        self._name = " ".join(Path(word).name for word in arguments[:2])
        self._process = subprocess.Popen(
            arguments,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._changed = Condition()
        self._numbers = itertools.count(1)
        self._answers: dict[int, Mapping[str, Any]] = {}
        self._complaints: list[str] = []
        self._has_ended = False
        self._reports: list[Mapping[str, Any]] = []
        self._readers = [
            Thread(target=read, daemon=True) for read in (self._read, self._read_complaints)
        ]
        for reader in self._readers:
            reader.start()

    def ask(self, do: str, **arguments: object) -> Any:
        """The value with which the program answers a command.

        Raises CommandFailed with what its library threw, AssertionError past the deadline.
        """
        number = next(self._numbers)
        command = {"id": number, "do": do, **arguments}
        try:
            self._stdin.write(json.dumps(command).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            pass  # why it ended is told by wait_for
        answer = self.wait_for(lambda: self._answers.pop(number, None), f"the answer to {do!r}")
        if failed := answer.get("failed"):
            raise CommandFailed(failed["message"], failed.get("status"), failed.get("body"))
        return answer["value"]

    def reports(self) -> Sequence[Mapping[str, Any]]:
        """What has been reported so far."""
        return list(self._reports)

    def wait_for(self, look: Callable[[], Found | None], wanted: str) -> Found:
        """The first thing that ``look`` finds, tried again at each line that the program says."""
        ends = time.monotonic() + self._deadline
        with self._changed:
            while (found := look()) is None:
                left = ends - time.monotonic()
                if self._has_ended or not self._changed.wait(max(left, 0.0)):
                    gave_up = f"gave none within {self._deadline:g} s"
                    why = "has ended" if self._has_ended else gave_up
                    complaints = "\n".join(self._complaints[-20:])
                    raise AssertionError(f"waited for {wanted}; {self._name} {why}\n{complaints}")
            return found

    def vanish(self) -> None:
        """Ends the program as a crash would: the kernel closes its sockets without a goodbye."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Ends the program, which its closed input asks for, and whatever it left running."""
        try:
            self._stdin.close()
            self._process.wait(DEADLINE)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
        for reader in self._readers:
            reader.join()
        self._stdout.close()
        self._stderr.close()
        self._process.wait()

    def _read(self) -> None:
        for line in self._stdout:
            said = json.loads(line)
            with self._changed:
                if "id" in said:
                    self._answers[said["id"]] = said
                else:
                    self._reports.append(said)
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def _read_complaints(self) -> None:
        for line in self._stderr:
            self._complaints.append(line.decode(errors="replace").rstrip())

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def _stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None
        return self._process.stderr
