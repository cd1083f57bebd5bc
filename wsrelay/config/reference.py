"""The configuration reference, written from the definitions themselves.

``python -m wsrelay.config.reference > docs/configuration.md``; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import NODEFAULT, Struct, inspect, json

from ..core.apps import App, Webhook
from ..core.rules import Directed, Newest, Proximity, Rule, Turn
from .environment import APPS, HOSTS, PORTS
from .settings import Certificate, Settings, TlsListener

_HEAD = """\
# Configuration

Written from the definitions in `wsrelay/config/settings.py`, `wsrelay/core/apps.py` and
`wsrelay/core/rules.py` by `python -m wsrelay.config.reference`; change it there.

What is said in several places is taken from the first of these that says it:

1. options of the plugin (`twistd wsrelay --help`), and the Laravel `.env` that `--laravel-env`
   names;
2. the environment: `WSRELAY_` and a setting's name (`WSRELAY_PORT=6001`; lists are split at
   commas), {ports} for the port, {hosts} for the host, and for an app
   {apps};
3. the TOML file that `--config` or `WSRELAY_CONFIG` names;
4. the defaults below.

Apps of all sources are served together; where two name the same id, the first counts. An app that
comes from options or environment has the rights of `--client-events` and `--client-event-rate`
(`WSRELAY_CLIENT_EVENTS`, `WSRELAY_CLIENT_EVENT_RATE`). An unknown key, a wrong type or a value out
of bounds stops the start, and the message says where it is and what was expected.
"""


def reference() -> str:
    """The whole page, Markdown."""
    sections = [
        _HEAD.format(
            ports=_or(PORTS),
            hosts=_or(HOSTS),
            apps=_or([f"{owner}_APP_ID`, `_KEY` and `_SECRET" for owner in APPS]),
        )
    ]
    for title, kind, example in (
        ("The server: top level of the file", Settings, 'port = 6001\nhost = "127.0.0.1"'),
        (
            "A listener that speaks TLS: `[[tls]]`",
            TlsListener,
            "[[tls]]\nport = 6443\n"
            'certificates = [{ cert = "/etc/wsrelay/cert.pem", key = "/etc/wsrelay/key.pem" }]',
        ),
        (
            "A certificate: `[[tls.certificates]]`",
            Certificate,
            '[[tls.certificates]]\ncert = "/etc/letsencrypt/live/relay.example/fullchain.pem"\n'
            'key = "/etc/letsencrypt/live/relay.example/privkey.pem"',
        ),
        (
            "An app: `[[apps]]`",
            App,
            '[[apps]]\nid = "1001"\nkey = "app-key"\nsecret = "app-secret"\n'
            'client_events = "members"',
        ),
        (
            "A webhook: `[[apps.webhooks]]`",
            Webhook,
            '[[apps.webhooks]]\nurl = "https://example.org/hooks"\nevents = ["channel_occupied"]',
        ),
        (
            "A rule: `[[apps.rules]]`",
            Rule,
            '[[apps.rules]]\nchannels = "presence-office.*"\nsnapshot = true',
        ),
        (
            "Of a rule: `newest`",
            Newest,
            'newest = { events = ["client-move", "client-position*"], rate = 20 }',
        ),
        (
            "Of a rule: `directed`",
            Directed,
            'directed = { field = "to", events = ["client-signal"] }',
        ),
        (
            "Of a rule: `proximity`",
            Proximity,
            'proximity = { event = "client-move", radius = 300, hysteresis = 30, beyond_rate = 1 }',
        ),
        (
            "Of a rule: `turn`",
            Turn,
            'turn = { urls = ["turn:turn.example.org:3478"], secret = "turn-secret", ttl = 3600 }',
        ),
    ):
        rows = "\n".join(_rows(kind))
        sections.append(
            f"## {title}\n\n```toml\n{example}\n```\n\n"
            f"| setting | kind | default | at Pusher | meaning |\n|---|---|---|---|---|\n{rows}\n"
        )
    return "\n".join(sections)


def _or(names: Any) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _rows(kind: type[Struct]) -> Iterator[str]:
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    for field in described.fields:
        if field.name in ("apps", "webhooks", "rules"):
            continue
        cells = (
            f"`{field.name}`",
            _kind(field.type),
            _default(field),
            _at_pusher(field.type),
            _meaning(field.type),
        )
        yield f"| {' | '.join(cells)} |"


def _default(field: inspect.Field) -> str:
    if not field.required:
        value = field.default if field.default is not NODEFAULT else {}
        if value is None:
            return ""
        return f"`{json.encode(value).decode()}`"
    return "required"


def _at_pusher(described: inspect.Type) -> str:
    """The value Pusher has for the same thing, where it is known."""
    if isinstance(described, inspect.Metadata):
        return str((described.extra or {}).get("pusher", ""))
    return ""


def _kind(described: inspect.Type) -> str:
    """The kind of a value in a reader's words, with its bounds."""
    if isinstance(described, inspect.Metadata):
        return _kind(described.type)
    if isinstance(described, inspect.UnionType):  # what else it may be than none
        kinds = [_kind(each) for each in described.types if not isinstance(each, inspect.NoneType)]
        return " or ".join(kinds)
    if isinstance(described, inspect.LiteralType):
        return " or ".join(f"`{value}`" for value in described.values)
    if isinstance(described, inspect.IntType | inspect.FloatType):
        low = described.ge if described.ge is not None else described.gt
        bounds = [f"from {low:,}"] if low is not None else []
        bounds += [f"to {described.le:,}"] if described.le is not None else []
        return " ".join(["number", *bounds])
    if isinstance(described, inspect.BoolType):
        return "true or false"
    if isinstance(described, inspect.VarTupleType):
        return f"list of {_kind(described.item_type)}"
    if isinstance(described, inspect.DictType | inspect.StructType):
        return "table"
    return "text"


def _meaning(described: inspect.Type) -> str:
    if isinstance(described, inspect.Metadata):
        return str((described.extra_json_schema or {}).get("description", ""))
    return "Secret: shown in no log, error or answer." if _is_secret(described) else ""


def _is_secret(described: inspect.Type) -> bool:
    return isinstance(described, inspect.CustomType)


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201
