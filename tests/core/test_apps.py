"""wsrelay.core.apps"""

from __future__ import annotations

import msgspec
import pytest

from tests.doubles import APP, an_app
from wsrelay.core.apps import App, Apps, Secret


def app_from(**settings: object) -> App:
    """An app as the configuration reads it: with the bounds of every setting."""

    def secret(kind: type, text: object) -> object:
        return kind(text)

    return msgspec.convert({"id": "1", "key": "k", "secret": "s"} | settings, App, dec_hook=secret)


def test_a_secret_is_told_by_reveal_and_by_nothing_else() -> None:
    secret = Secret("hush-hush")
    assert secret.reveal() == b"hush-hush"
    assert "hush" not in f"{secret} {secret!r} {an_app(secret=secret)}"


def test_secrets_with_the_same_text_are_equal_and_others_are_not() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_an_app_is_found_by_its_id_and_by_its_key() -> None:
    other = an_app(id="2", key="other")
    apps = Apps([APP, other])
    assert apps.with_id("2") is other
    assert apps.with_key("other") is other
    assert apps.with_id("other") is None
    assert apps.with_key("2") is None
    assert list(apps) == [APP, other]
    assert len(apps) == 2


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"key": "other"}, "two apps have the id '482931'"),
        ({"id": "2"}, "two apps have the key 'wsr-key-7f3a91'"),
    ],
)
def test_two_apps_may_share_neither_id_nor_key(changed: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as raised:
        Apps([APP, an_app(**changed)])
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("setting", "good", "bad"),
    [
        ("id", "a" * 128, "a" * 129),
        ("id", "an-id", "a/b"),
        ("id", "an:id", "a b"),
        ("id", "1", ""),
        ("key", "a" * 128, "a" * 129),
        ("key", "a-key", "a:key"),
        ("key", "a-key", "a/key"),
        ("client_events", "all", "some"),
        ("client_event_rate", 0, -1),
        ("client_event_rate", 0.5, 100_001),
        ("error_dialect", "both", "swiss"),
        ("activity_timeout", 10, 9),
        ("activity_timeout", 3600, 3601),
        ("max_connections", 0, -1),
        ("max_event_bytes", 1, 0),
        ("max_event_bytes", 1024 * 1024, 1024 * 1024 + 1),
        ("max_event_name_length", 1, 0),
        ("max_channel_name_length", 1000, 1001),
        ("max_channels_per_event", 1, 0),
        ("max_subscriptions", 1, 0),
        ("max_presence_members", 1, 0),
        ("max_user_info_bytes", 0, -1),
        ("max_user_id_length", 1, 0),
        ("allowed_origins", ["*.example.com"], ["*"] * 101),
    ],
)
def test_every_setting_has_its_bounds(setting: str, good: object, bad: object) -> None:
    assert setting in msgspec.structs.asdict(app_from(**{setting: good}))
    with pytest.raises(msgspec.ValidationError, match=setting):
        app_from(**{setting: bad})


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="max_speed"):
        app_from(max_speed=1)


def test_an_app_that_says_nothing_has_the_protocols_defaults() -> None:
    app = app_from()
    assert app.enabled
    assert app.client_events == "members"
    assert app.client_event_rate == 10
    assert app.activity_timeout == 120
    assert app.max_event_bytes == 10_240
    assert (app.max_event_name_length, app.max_channel_name_length) == (200, 200)
    assert app.max_channels_per_event == 100
    assert (app.max_presence_members, app.max_user_info_bytes, app.max_user_id_length) == (
        100,
        2048,
        128,
    )


@pytest.mark.parametrize(("field", "value"), [("id", "1001\n"), ("key", "app-key\n")])
def test_credentials_do_not_end_in_a_new_line(field: str, value: str) -> None:
    given = {"id": "1001", "key": "app-key", "secret": "s"} | {field: value}
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(given, App, dec_hook=lambda _, text: Secret(text))


def test_other_apps_take_the_place_of_all_before_or_nothing_changes() -> None:
    apps = Apps([an_app(id="1", key="a"), an_app(id="2", key="b")])
    with pytest.raises(ValueError, match="two apps have the key 'c'"):
        apps.serve([an_app(id="3", key="c"), an_app(id="4", key="c")])
    assert [app.id for app in apps] == ["1", "2"]
    apps.serve([an_app(id="2", key="new")])
    assert [app.id for app in apps] == ["2"]
    assert apps.with_key("a") is apps.with_key("b") is apps.with_id("1") is None
    assert apps.with_key("new") is apps.with_id("2") is not None
