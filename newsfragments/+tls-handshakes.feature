TLS handshakes that fail are counted, and one a minute is told in the log with its reason.
