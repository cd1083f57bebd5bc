"""The log file of a daemon (``twistd --logfile``), which logrotate renames under its feet.

Twisted's own (26.10) numbers old files itself, one for each megabyte and all of them for ever, and
on SIGUSR1 expects to do so again; it does not open a file anew that somebody else has renamed. Nor
would logrotate's copytruncate do, because the file is not opened for appending: holes of zeros.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import FileLogObserver, Logger
from twisted.python.logfile import LogFile

_log = Logger(namespace="wsrelay")


def file_of(observer: Any) -> LogFile | None:
    """The file that an observer writes to, which from now on grows until it is reopened."""
    file = getattr(observer, "_outFile", None) if isinstance(observer, FileLogObserver) else None
    if not isinstance(file, LogFile):
        return None
    file.rotateLength = None
    return file


def reopen(file: LogFile) -> None:
    """Open the file of that name, which may be a new one. If it can't be, the old one is kept."""
    old = file._file
    try:
        file._openFile()
    except OSError as error:
        _log.error("the log can't be opened anew, the old file is kept: {error}", error=error)
    else:
        old.close()
