"""Which files the listeners name: where they are, and what stands in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from msgspec import structs

from ..config.settings import TlsListener
from .pair import Unusable, content_of


def with_whole_paths(listener: TlsListener, directory: str) -> TlsListener:
    """What is renewed later is looked for where it was at the start, whatever directory it is."""

    def whole(path: str) -> str:
        return path and os.path.abspath(os.path.join(directory, path))

    return structs.replace(
        listener,
        certificates=tuple(
            structs.replace(
                files,
                cert=whole(files.cert),
                key=whole(files.key),
                chain=whole(files.chain),
            )
            for files in listener.certificates
        ),
        client_ca=whole(listener.client_ca),
    )


def contents(listeners: Sequence[TlsListener]) -> dict[str, bytes]:
    """What stands in the files of listeners with whole paths, as far as it can be read.

    Keys are among it. It is for processes that may read less than this one.
    """
    found = {}
    for listener in listeners:
        paths = [listener.client_ca]
        for files in listener.certificates:
            paths += [files.cert, files.key, files.chain]
        for path in filter(None, paths):
            with suppress(Unusable):
                found[path] = content_of(path)
    return found
