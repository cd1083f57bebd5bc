"""One source of settings, and how its mistakes are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Struct, ValidationError, convert, inspect

from ..core.apps import App, Secret
from .settings import Settings

_Kind = TypeVar("_Kind")


class ConfigurationError(Exception):
    """One line: the source, the path of the key, and what was expected. Never a secret."""


class Layer(Struct, frozen=True):
    """What one source says: raw values, by the names of ``Settings``."""

    #: The source as the operator knows it: a file's path, ``environment``, ``options``.
    name: str
    values: Mapping[str, Any]
    #: ``client_events`` and ``client_event_rate`` for the apps of options and environment.
    rights: Mapping[str, Any] = {}
    #: What the source calls a setting, where that is not the setting's own name.
    keys: Mapping[str, str] = {}

    def checked(self, *, is_text: bool) -> dict[str, Any]:
        """The values, each of its right type; ``is_text`` when numbers come as text.

        Raises ``ConfigurationError``.
        """
        settings = self._converted(self.values, Settings, is_text=is_text)
        return {name: getattr(settings, name) for name in self.values}

    def checked_rights(self) -> dict[str, Any]:
        """The rights, each of its right type. Raises ``ConfigurationError``."""
        app = self._converted(
            {"id": "-", "key": "-", "secret": "-", **self.rights}, App, is_text=True
        )
        return {name: getattr(app, name) for name in self.rights}

    def _converted(self, values: Mapping[str, Any], kind: type[_Kind], *, is_text: bool) -> _Kind:
        try:
            return convert(dict(values), kind, strict=not is_text, dec_hook=_decode_secret)
        except ValidationError as error:
            where, what = _explained(str(error))
            setting = _setting_in(where)
            where = self.keys.get(setting, setting) + where.removeprefix(setting)
            raise ConfigurationError(f"{self.name}: {where}: {what}") from error


def _decode_secret(kind: type, value: Any) -> Any:
    if kind is not Secret:
        raise NotImplementedError(kind)
    if not isinstance(value, str) or not value:
        raise ValueError("Expected `str` that is not empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("Expected `str` of valid UTF-8")
    return Secret(value)


_names_in = re.compile(r"[a-z]\w*").findall
_parts_of = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?\Z", re.DOTALL).match
_unknown_in = re.compile(r"Object contains unknown field `(.*)`").match
_missing_in = re.compile(r"Object missing required field `(.*)`").match


def _explained(fault: str) -> tuple[str, str]:
    """msgspec's words (0.22) in the order in which an operator looks: where, then what."""
    parts = _parts_of(fault)
    assert parts is not None
    what, path = parts["what"], parts["path"] or ""
    if unknown := _unknown_in(what):
        where = f"{path}.{unknown[1]}" if path else unknown[1]
        return where, f"unknown key; expected one of {', '.join(_keys_at(path))}"
    if missing := _missing_in(what):
        return f"{path}.{missing[1]}", "missing"
    return path, f"{what[:1].lower()}{what[1:]}".replace("`", "")


def _setting_in(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _keys_at(path: str) -> list[str]:
    """The keys that a table may have: of ``apps[0]``, or of the file when the path is empty."""
    table: Any = inspect.type_info(Settings)
    for name in _names_in(path):
        kind = next(field.type for field in table.fields if field.name == name)
        kind = getattr(kind, "type", kind)  # out of its Metadata, if it has some
        kind = getattr(kind, "types", [kind])[0]  # a table, or none
        table = getattr(kind, "item_type", kind)
    return [field.name for field in table.fields]
