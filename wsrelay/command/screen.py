"""What is shown: tables, and what others wrote.

In pipes no line of a table is broken, so that grep finds it.
"""

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


def on_one_line(text: str) -> str:
    """What somebody else wrote: nothing in it may move the cursor or begin another line."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
