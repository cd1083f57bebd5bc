"""Coroutines that need not wait end where they were called, without a ``Deferred``.

Most of ours never wait on a single node. To make a ``Deferred`` for each, and what Twisted keeps
beside it, would double what a join costs, and takes a tenth of a publish.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine as coroutine_like
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

Result = TypeVar("Result")


def begin(coroutine: Coroutine[Any, Any, Result]) -> Result | Deferred[Result]:
    """Run a coroutine to its first wait, at once: what it returns, or a ``Deferred`` of that.

    Raises what it raises before it waits.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as ended:
        result: Result = ended.value
        return result
    return Deferred.fromCoroutine(_rest(coroutine, waits_for))


@coroutine_like
def _rest(coroutine: Coroutine[Any, Any, Result], waits_for: Any) -> Generator[Any, Any, Result]:
    """A coroutine from its first wait on."""
    try:
        while True:
            try:
                outcome = yield waits_for
            except GeneratorExit:  # nobody will ever answer
                coroutine.close()
                raise
            except BaseException as error:
                waits_for = coroutine.throw(error)
            else:
                waits_for = coroutine.send(outcome)
    except StopIteration as ended:
        result: Result = ended.value
        return result
