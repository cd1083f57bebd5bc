`log_connections = false` keeps the lines of connections that open and close out of the log.
