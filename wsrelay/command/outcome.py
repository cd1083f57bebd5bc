"""How a command ends: the exit codes, and the failures that carry them.

Scripts go by the numbers; they stay as they are.
"""

from __future__ import annotations

from typing import NoReturn

OK = 0
#: The relay answered, and not what was wanted: not ready, refused, a check failed, no match.
NO = 1
#: Nothing answers there.
DOWN = 2
#: The command line makes no sense (EX_USAGE of sysexits.h).
USAGE = 64
#: The configuration has a fault (EX_CONFIG).
CONFIGURATION = 78

TABLE = f"""\
\b
Exit codes:
  {OK}   all is well
  {NO}   the relay answers, but: it is not ready, a check failed, or it refused
  {DOWN}   nothing answers
  {USAGE}  the command line makes no sense
  {CONFIGURATION}  the configuration has a fault
"""


class Failed(Exception):
    """One line for the terminal, and the code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def fail(message: str, code: int = NO) -> NoReturn:
    raise Failed(message, code)
