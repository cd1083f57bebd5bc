TLS in the process: `--tls-port`, `--tls-cert` and `--tls-key`, or several certificates by name in the TOML file, taken up again when their files change.
