"""Tables for the terminal, and for pipes: there a line is never broken, so that grep finds it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

#: Columns of a line that nobody looks at in a window.
WIDE = 2000


def console() -> Console:
    """Where tables go. Imported when it is needed: that takes longer than most commands do."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
