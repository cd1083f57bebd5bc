"""A Laravel app's ``.env``, read as Laravel's own reader (vlucas/phpdotenv 5) reads it.

Two programs that share a file have to read it alike: in ``SECRET=a#b`` the value is ``a``, in
single quotes nothing is replaced, and ``${NAME}`` stays as it is when nothing has that name.
Python's usual reader (python-dotenv 1.2) differs in all three, and skips the lines that it does
not understand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_line = re.compile(
    r"""[ \t]*
        (?: (?:export[ \t]+)? (?P<name>[\w.]+) [ \t]*
            (?: = [ \t]*
                (?: "(?P<double> (?: [^"\\] | \\["\\$fnrtv] )* )"
                  | '(?P<single> [^'\n]* )'
                  | (?P<plain> (?: [^\s'"#] [^\s#]* )? )
                ) [ \t]*
            )?
        )?
        (?: \#[^\n]* )? \r? (?: \n | \Z )""",
    re.VERBOSE,
).match
_VARIABLE = r"\$\{(?P<variable>[a-zA-Z0-9_.]+)\}"
_variables = re.compile(_VARIABLE)
_variables_and_escapes = re.compile(r"\\(?P<escaped>.)|" + _VARIABLE)
_ESCAPES = {"f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables; ``${NAME}`` means one from further up, else one of ``environ``.

    Raises ``ValueError`` with the number of the first line that can't be read. The line itself
    is not shown: it may hold a secret.
    """
    values: dict[str, str] = {}

    def replaced(found: re.Match[str]) -> str:
        name = found["variable"]
        return values.get(name, environ.get(name, found[0]))

    def replaced_or_unescaped(found: re.Match[str]) -> str:
        character = found["escaped"]
        return replaced(found) if character is None else _ESCAPES.get(character, character)

    position = 0
    while position < len(text):
        line = _line(text, position)
        if line is None:
            number = text.count("\n", 0, position) + 1
            raise ValueError(f"line {number}: expected NAME=value; values with spaces need quotes")
        if line["single"] is not None:
            values[line["name"]] = line["single"]
        elif line["double"] is not None:
            values[line["name"]] = _variables_and_escapes.sub(replaced_or_unescaped, line["double"])
        elif line["plain"] is not None:
            values[line["name"]] = _variables.sub(replaced, line["plain"])
        position = line.end()
    return values
