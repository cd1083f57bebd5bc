"""Runs cases of Autobahn's suite in a process of its own, one JSON object a line.

``python driver.py`` says which cases there are. ``python driver.py URL SECONDS REPORTS CASE...``
tries them, and says of each when it begins and how it ended. A case that takes longer than SECONDS
is given up as ``HUNG``. REPORTS is the directory for kosoku's own pages.

Not kosoku's command line: that says nothing before the last case has ended, and waits for ever.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import sys
from typing import Any

from kosoku import FailureError, run_fuzzingclient
from kosoku._report import write_reports

#: Cases at a time: while one waits for the relay, another can be prepared or judged.
AT_ONCE = 2
#: Nobody listens there, so every case fails at once.
NOWHERE = "ws://127.0.0.1:1"


def say(**what: Any) -> None:
    """One line for whoever reads."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def tried(url: str, *cases: str) -> list[Any]:
    """kosoku's results; of all cases there are, when none is named."""
    try:
        return await run_fuzzingclient(url, list(cases) or None)
    except FailureError as failure:
        return failure.results


async def run(url: str, seconds: float, reports: str, cases: list[str]) -> None:
    """Try the cases, in this order."""
    finished: list[Any] = []
    waiting = iter(cases)

    async def some() -> None:
        for case in waiting:
            # From a thread that needs nothing of Python: it ends the process even if kosoku,
            # which is native code, never gives the interpreter back.
            faulthandler.dump_traceback_later(2 * seconds, exit=True)
            say(begun=case)
            try:
                [result] = await asyncio.wait_for(tried(url, case), seconds)
            except TimeoutError:
                say(case=case, behavior="HUNG", closing="HUNG", why=f"after {seconds:.0f} s")
                continue
            finished.append(result)
            say(
                case=case,
                behavior=result.behavior.value,
                closing=result.behavior_close.value,
                why=f"{result.result} {result.result_close}",
            )

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    faulthandler.cancel_dump_traceback_later()
    write_reports(finished, reports)


async def name_all() -> None:
    for result in await tried(NOWHERE):
        say(case=result.case_id)


if __name__ == "__main__":
    if sys.argv[1:]:
        url, seconds, reports, *cases = sys.argv[1:]
        asyncio.run(run(url, float(seconds), reports, cases))
    else:
        asyncio.run(name_all())
    # Not the interpreter's own end: kosoku's threads (0.1.0) now and then abort there, or hang.
    os._exit(0)
