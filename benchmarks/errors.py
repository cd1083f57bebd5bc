"""Why nothing can be measured here."""

from __future__ import annotations


class CannotMeasure(Exception):
    """Its text is one line for the person at the terminal: what is missing, and what helps."""
