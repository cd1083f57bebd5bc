"""The command ``wsrelay``: looks at a relay, asks it, and helps to debug its backends.

A program of its own beside the relay, which it only meets by its doors: by HTTP and WebSocket, as
clients and backends do. It reads the same configuration. It imports neither Twisted nor what needs
it, so that it starts in a moment.
"""
