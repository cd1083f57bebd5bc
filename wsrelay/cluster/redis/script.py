"""What a step that Redis takes at once is to Redis: a script, its hash and its keys."""

from __future__ import annotations

import hashlib


class Script:
    """A Lua script, known to Redis by its hash, of one key and others that begin with its name.

    ``suffix`` makes the name of one of those. A cluster is told of it, and so lets the script run
    only where all of them are: not while their slot is on its way, with one half of them here and
    the other there.
    """

    def __init__(self, text: bytes, suffix: bytes = b"") -> None:
        self.text = text
        self.suffix = suffix
        self.sha = hashlib.sha1(text, usedforsecurity=False).hexdigest()
