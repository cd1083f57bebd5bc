"""Whom a connection speaks for, when a proxy stands between."""
