"""How it is told why Redis can't be used."""

from __future__ import annotations

from twisted.python.failure import Failure
from txredisapi import ResponseError

from .wire import Unreachable

#: Errors after which Redis is no place to write to, and how they are told.
AWAY = {
    "LOADING": "it is loading its data (LOADING)",
    "READONLY": "it is a replica and may not be written to (READONLY)",
    "MASTERDOWN": "it is a replica without its master (MASTERDOWN)",
    "OOM": "it is out of memory (OOM; maxmemory)",
    "MISCONF": "it can't save its data and takes no writes (MISCONF)",
    "NOREPLICAS": "it has too few replicas and takes no writes (NOREPLICAS)",
    "NOAUTH": "it wants a password (NOAUTH; the URL's)",
    "WRONGPASS": "it refuses the name or the password of the URL (WRONGPASS)",
    "NOPERM": "the user may not do what is needed (NOPERM)",
    "CLUSTERDOWN": "its cluster is down (CLUSTERDOWN)",
    "NOSCRIPT": "it has forgotten our scripts (NOSCRIPT)",
}


def words(error: Exception) -> str:
    """What went wrong, fit for the operator's eyes; never the password."""
    if isinstance(error, ResponseError):
        return f"it answers: {str(error)[:200]}"
    return str(error) or type(error).__name__


def unreachable(failure: Failure) -> Failure:
    """What a script failed of, as ``Unreachable``."""
    error = failure.value
    return Failure(Unreachable(words(error))) if isinstance(error, ResponseError) else failure
