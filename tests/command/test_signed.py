"""wsrelay.command.signed, against the published examples of the protocol."""

from __future__ import annotations

from tests.signing import channel_auth, signed_target, signin_auth
from wsrelay.command.signed import auth_of, channel_text, target_of, user_text
from wsrelay.core.apps import App, Secret

APP = App(id="1001", key="a-key", secret=Secret("a-secret"))
#: Pusher's documentation of authentication signatures.
PUSHERS = App(id="3", key="278d425bdf160c739803", secret=Secret("7ad3773142a6692b25b8"))


def test_subscriptions_are_signed_as_pushers_documentation_shows() -> None:
    assert auth_of(PUSHERS, channel_text("1234.1234", "private-foobar", None)) == (
        "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
    )
    data = '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}'
    assert auth_of(PUSHERS, channel_text("1234.1234", "presence-foobar", data)) == (
        "278d425bdf160c739803:afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c"
    )


def test_requests_are_signed_as_pushers_documentation_shows() -> None:
    body = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
    assert target_of(PUSHERS, "POST", "/apps/3/events", body, timestamp=1353088179) == (
        "/apps/3/events?auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
        "&body_md5=ec365a775a4cd0599faeb73354201b6f&auth_signature="
        "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    )


def test_everything_is_signed_as_other_code_signs_it() -> None:
    assert auth_of(APP, channel_text("1.2", "private-a", None)) == channel_auth("1.2", "private-a")
    assert auth_of(APP, user_text("1.2", '{"id":7}')) == signin_auth("1.2", '{"id":7}')
    ours = target_of(
        APP, "GET", "/apps/1001/channels", query=[("filter_by_prefix", "a b&")], timestamp=7
    )
    theirs = signed_target("GET", "/apps/1001/channels", signed_at=7, filter_by_prefix="a b&")
    assert sorted(ours.split("&")) == sorted(theirs.split("&"))
