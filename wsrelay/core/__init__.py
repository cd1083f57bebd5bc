"""The hall: apps, channels, who is in them, and one way to publish.

Pure Python. Nothing in this package knows Twisted, JSON, a clock, a log or a wire.
"""
