"""wsrelay.config.handed: what arrives is what was sent, secrets included."""

from __future__ import annotations

import pytest
from msgspec import structs

from wsrelay.config.handed import packed, unpacked
from wsrelay.config.resolve import Given, resolve
from wsrelay.config.settings import (
    DEVELOPMENT_APP,
    Certificate,
    Settings,
    TlsListener,
    is_development,
)
from wsrelay.core.apps import App, Secret, Webhook
from wsrelay.core.rules import Directed, Newest, Proximity, Rule, Turn

RULE = Rule(
    channels="presence-office.*",
    newest=Newest(events=("client-move",), rate=20),
    directed=Directed(field="to", events=("client-signal",)),
    proximity=Proximity(event="client-move", radius=300),
    turn=Turn(urls=("turn:turn.example.org",), secret=Secret("turn-secret")),
)
FULL = Settings(
    port=0,
    redis=Secret("redis://user:password@redis.example"),
    workers="auto",
    trusted_proxies=("10.0.0.0/8",),
    tls=(TlsListener(certificates=(Certificate(cert="c", key="k", names=("a", "b")),)),),
    apps=(
        App(
            id="1001",
            key="key",
            secret=Secret("hüsh"),
            rules=(RULE,),
            webhooks=(Webhook(url="https://example.org/hooks"),),
        ),
    ),
)


@pytest.mark.parametrize("settings", [FULL, resolve(Given(), {}), resolve(Given(), {"X": "y"})])
def test_what_arrives_is_what_was_sent(settings: Settings) -> None:
    arrived = unpacked(packed(settings))
    assert arrived == settings
    assert is_development(arrived) == is_development(settings)


def test_the_development_app_with_other_rights_is_still_known_as_it() -> None:
    app = structs.replace(DEVELOPMENT_APP, client_events="all")
    arrived = unpacked(packed(Settings(apps=(app,))))
    assert is_development(arrived)
    assert arrived.apps == (app,)


def test_an_app_of_the_same_name_and_secret_is_none_of_development() -> None:
    app = structs.replace(DEVELOPMENT_APP, secret=Secret("local-secret"))
    assert not is_development(unpacked(packed(Settings(apps=(app,)))))
