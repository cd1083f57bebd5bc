"""One source of settings, and how its mistakes are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, ValidationError, convert

from ..core.apps import App, Secret
from .settings import Settings


class ConfigurationError(Exception):
    """One line: the source, the path of the key, and what was expected. Never a secret."""


class Layer(Struct, frozen=True):
    """What one source says: raw values, by the names of ``Settings``."""

    #: The source as the operator knows it: a file's path, ``environment``, ``options``.
    name: str
    values: Mapping[str, Any]
    #: ``client_events`` and ``client_event_rate`` for the apps of options and environment.
    rights: Mapping[str, Any] = {}

    def checked(self, *, is_text: bool) -> dict[str, Any]:
        """The values, each of its right type; ``is_text`` when numbers come as text.

        Raises ``ConfigurationError``.
        """
        try:
            settings = convert(
                dict(self.values), Settings, strict=not is_text, dec_hook=_decode_secret
            )
        except ValidationError as error:
            raise ConfigurationError(f"{self.name}: {_explained(str(error))}") from error
        return {name: getattr(settings, name) for name in self.values}


def _decode_secret(kind: type, value: Any) -> Any:
    if kind is Secret:
        if not isinstance(value, str) or not value:
            raise ValueError("Expected `str` that is not empty")
        return Secret(value)
    raise NotImplementedError(kind)


_parts_of = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?\Z", re.DOTALL).match
_unknown_in = re.compile(r"Object contains unknown field `(.*)`").match
_missing_in = re.compile(r"Object missing required field `(.*)`").match


def _explained(fault: str) -> str:
    """msgspec's words (0.22) put in the order in which an operator looks: where, then what."""
    parts = _parts_of(fault)
    assert parts is not None
    what, path = parts["what"], parts["path"] or ""
    if unknown := _unknown_in(what):
        names = (App if path.startswith("apps[") else Settings).__struct_fields__
        where = f"{path}.{unknown[1]}" if path else unknown[1]
        return f"{where}: unknown key; expected one of {', '.join(names)}"
    if missing := _missing_in(what):
        return f"{path}.{missing[1]}: missing"
    return f"{path}: {what[:1].lower()}{what[1:]}".replace("`", "")
