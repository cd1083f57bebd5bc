"""wsrelay.command.configured: what counts, where it comes from, and no secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command.conftest import SECRET, Relay, Run
from tests.tls.authority import Authority

FILE = f"""
port = 7001
[[apps]]
id = "1001"
key = "a-key"
secret = "{SECRET}"
max_connections = 5
[[apps.webhooks]]
url = "https://hooks.example/{SECRET}?token={SECRET}"
headers = {{ Authorization = "{SECRET}" }}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "wsrelay.toml"
    file.write_text(FILE)
    return file


def test_settings_are_shown_with_their_sources(run: Run, file: Path) -> None:
    ended = run(
        *("config", "show", "--config", str(file)),
        WSRELAY_HOST="::1",
        PUSHER_APP_ID="2",
        PUSHER_APP_KEY="b-key",
        PUSHER_APP_SECRET=SECRET,
    )
    assert ended.code == 0
    rows = {tuple(line.split()) for line in ended.out.splitlines()}
    assert ("port", "7001", str(file)) in rows
    assert ("host", '"::1"', "environment") in rows
    assert ("path_prefix", '""', "default") in rows
    one, other = (line for line in ended.out.splitlines() if line.startswith("app "))
    assert '"id": "2"' in one
    assert one.rstrip().endswith("environment")
    assert '"max_connections": 5' in other
    assert "https://hooks.example/(hidden)" in other
    assert "max_event_bytes" not in other, "as it is by default"


def test_all_of_it_may_be_json(run: Run, file: Path) -> None:
    told = json.loads(run("config", "show", "--json", "-c", str(file)).out)
    assert told["sources"] == {"port": str(file), "apps.1001": str(file)}
    [app] = told["settings"]["apps"]
    assert app["secret"] == "(hidden)"
    assert app["webhooks"][0]["headers"] == {"Authorization": "(hidden)"}
    assert app["max_event_bytes"] == 10240


def test_a_good_file_is_good(run: Run, file: Path, relay: Relay) -> None:
    assert run("config", "check", str(file)) == (0, f"{file}: good; apps: 1001\n", "")
    assert run("config", "check", str(relay.file)).code == 0


def test_a_file_is_checked_by_itself_whatever_the_environment_says(run: Run, file: Path) -> None:
    assert run("config", "check", str(file), WSRELAY_NONSENSE="1").code == 0


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("prot = 1", "prot: unknown key"),
        ('url = "http://a:0/"', "webhook 1 of app 1001: url: "),
        ("port =", "not TOML"),
        ('tls_cert = "nowhere.pem"\ntls_key = "nowhere.pem"', "tls: nowhere.pem: can't be read"),
    ],
)
def test_the_first_fault_is_told(line: str, fault: str, run: Run, file: Path) -> None:
    hook = 'url = "https://hooks'
    lines = FILE.splitlines()
    file.write_text(
        "\n".join(line if each.startswith(hook) else each for each in lines)
        if line.startswith("url")
        else f"{line}\n{FILE}"
    )
    ended = run("config", "check", str(file))
    assert ended.code == 78
    assert f"{file}: " in ended.err
    assert fault in ended.err


def test_a_key_of_another_certificate_is_a_fault(run: Run, tmp_path: Path) -> None:
    authority = Authority()
    one = authority.issue("a.example").store(tmp_path, "one")
    other = authority.issue("b.example").store(tmp_path, "other")
    file = tmp_path / "wsrelay.toml"
    file.write_text(f'tls_cert = "{one.cert}"\ntls_key = "{other.key}"\n')
    ended = run("config", "check", str(file))
    assert ended.code == 78
    assert "not the key of the first certificate" in ended.err
