Limits and rights for each app and each address, all of them with a default in `docs/configuration.md`. Whoever crosses one is told which it was and the setting that raises it.
