"""``python -m wsrelay``: the relay in the foreground, as ``twistd -n wsrelay`` runs it."""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run


def main() -> None:
    sys.argv[1:1] = ["--nodaemon", "--pidfile=", "wsrelay"]
    run()


if __name__ == "__main__":
    main()
