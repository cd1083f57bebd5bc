"""``python -m wsrelay.workers``: a worker. Its parent starts it; nobody else does."""

from __future__ import annotations

import os
import signal
import stat
import sys
from functools import partial
from typing import Any

from twisted.internet import stdio
from twisted.logger import globalLogBeginner

from .log import Telling
from .serving import Serving
from .words import READS, WRITES


def main() -> None:
    # They come to the parent as well, which says what they mean.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    if not (is_pipe(READS) and is_pipe(WRITES)):
        sys.exit("wsrelay.workers: started by twistd wsrelay --workers N, and by nobody else")
    from twisted.internet import reactor

    sys.exit(run(reactor))


def is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def run(reactor: Any) -> int:
    """Serve until the parent says stop, or is gone; the exit status."""
    serving = Serving(reactor, reactor.stop, partial(signal.setitimer, signal.ITIMER_REAL))
    connect: Any = stdio.StandardIO
    connect(serving.wire, stdin=READS, stdout=WRITES, reactor=reactor)
    globalLogBeginner.beginLoggingTo([Telling(serving.wire.say)], redirectStandardIO=False)
    reactor.run(installSignalHandlers=False)
    return 1 if serving.fault else 0


if __name__ == "__main__":
    main()
