"""wsrelay.command.sign: what a real relay accepts, and how a wrong one is told."""

from __future__ import annotations

import io
import json
import urllib.request
from types import SimpleNamespace

import pytest

from tests.command.conftest import Relay, Run
from tests.signing import channel_auth, signin_auth

APP = {"PUSHER_APP_ID": "1001", "PUSHER_APP_KEY": "a-key", "PUSHER_APP_SECRET": "a-secret"}


def test_the_answers_of_an_auth_endpoint(run: Run) -> None:
    ended = run("sign", "channel", "1.2", "private-a", **APP)
    assert json.loads(ended.out) == {"auth": channel_auth("1.2", "private-a")}
    data = '{"user_id":7}'
    ended = run("sign", "channel", "1.2", "presence-a", "--channel-data", data, **APP)
    auth = channel_auth("1.2", "presence-a", data)
    assert json.loads(ended.out) == {"auth": auth, "channel_data": data}
    ended = run("sign", "user", "1.2", '{"id":7}', **APP)
    auth = signin_auth("1.2", '{"id":7}')
    assert json.loads(ended.out) == {"auth": auth, "user_data": '{"id":7}'}


def test_what_is_signed_can_be_seen_and_the_secret_cannot(run: Run) -> None:
    ended = run("sign", "user", "1.2", "{}", "--explain", **APP)
    assert ended.err == "signed is: 1.2::user::{}\n"
    ended = run("sign", "request", "GET", "/apps/{app}/channels", "--explain", **APP)
    assert "GET\n/apps/1001/channels\nauth_key=a-key&" in ended.err
    assert "a-secret" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("auth", "told"),
    [
        (channel_auth("1.2", "private-a"), "right"),
        (channel_auth("1.3", "private-a"), "another secret, or of another text"),
        (channel_auth("1.2", "private-a", key="b-key"), "another key than that of app 1001"),
        ("nonsense", "another key"),
    ],
)
def test_the_answer_of_a_backend_is_judged(auth: str, told: str, run: Run) -> None:
    ended = run("sign", "channel", "1.2", "private-a", "--auth", auth, **APP)
    assert told in ended.out + ended.err
    assert ended.code == (0 if told == "right" else 1)
    right = channel_auth("1.2", "private-a")
    assert auth == right or right not in ended.out + ended.err, "it is a judge, and no oracle"


def test_a_relay_accepts_the_requests(
    relay: Relay, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ("--config", str(relay.file))
    query = ("--query", "filter_by_prefix=a ä&=", "--query", "info=")
    path = run("sign", "request", "get", "/apps/{app}/channels", *query, *config).out.strip()
    with urllib.request.urlopen(relay.url + path) as answer:
        assert json.load(answer) == {"channels": {}}
    body = b'{"name":"x","channels":["a"],"data":"\xe2\x98\x83"}'
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(body)))
    path = run("sign", "request", "POST", "/apps/{app}/events", "--body", "-", *config).out.strip()
    with urllib.request.urlopen(relay.url + path, data=body) as answer:
        assert answer.status == 200
