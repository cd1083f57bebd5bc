The command `wsrelay`: `status`, `doctor`, `listen`, `trigger`, `sign` and `config` look at a relay, ask it, and help to debug its backends, with exit codes for scripts. See `docs/operations.md`.
