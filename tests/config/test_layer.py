"""wsrelay.config.layer: mistakes are told by source, key and expectation."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsrelay.config.resolve import ConfigurationError, Given, resolve
from wsrelay.config.settings import Settings
from wsrelay.core.apps import App

APP = '[[apps]]\nid = "1"\nkey = "a-key"\nsecret = "hush-hush"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "wsrelay.toml"


def told(file: Path, text: str) -> str:
    """What is said of a file, after its name."""
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(config=str(file)), {})
    message = str(raised.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    assert "hush-hush" not in message
    return message.removeprefix(f"{file}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('port = "6001"', "port: expected int, got str"),
        ("port = 70000", "port: expected int <= 65535"),
        ("host = 1", "host: expected str, got int"),
        ("listen = 'unix:/x'", "listen: expected array, got str"),
        ("listen = [1]", "listen[0]: expected str, got int"),
        ("log_format = 'xml'", "log_format: invalid enum value 'xml'"),
        ("apps = 1", "apps: expected array, got int"),
        ("[apps]", "apps: expected array, got object"),
        (APP + 'client_events = "some"', "apps[0].client_events: invalid enum value 'some'"),
        (APP + "enabled = 1", "apps[0].enabled: expected bool, got int"),
        (APP + APP.replace("a-key", "a/b"), "apps[1].key: expected str matching regex "),
        ('[[apps]]\nid = "1"\nkey = "k"', "apps[0].secret: missing"),
        ('[[apps]]\nid = "1"\nkey = "k"\nsecret = ""', "apps[0].secret: expected str that is not"),
        ('[[apps]]\nid = "1"\nkey = "k"\nsecret = 5', "apps[0].secret: expected str that is not"),
        (APP + "max_connections = -1", "apps[0].max_connections: expected int >= 0"),
        (APP + "[[apps.webhooks]]", "apps[0].webhooks[0].url: missing"),
    ],
)
def test_a_wrong_value_is_told_by_its_path_and_what_was_expected(
    file: Path, text: str, message: str
) -> None:
    assert told(file, text).startswith(message)


def test_an_unknown_key_is_told_with_those_that_exist(file: Path) -> None:
    message = told(file, "prot = 6001")
    assert message == "prot: unknown key; expected one of " + ", ".join(Settings.__struct_fields__)
    message = told(file, APP + "sekret = 1")
    assert message == "apps[0].sekret: unknown key; expected one of " + ", ".join(
        App.__struct_fields__
    )
    message = told(file, APP + '[[apps.webhooks]]\nurl = "http://x.example"\nheader = 1')
    assert message.startswith("apps[0].webhooks[0].header: unknown key; expected one of url, ")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("port = \n", "line 1, column 8"),
        ("port = 1\nport = 2\n", "line 2"),
        (APP + 'secret = "again-hush-hush"\n', "line 5"),
        ('secret = "hush-hush\n', "line 1"),
        ('secret = "hush-hush', "end of document"),
    ],
)
def test_what_is_no_toml_is_told_by_its_place(file: Path, text: str, where: str) -> None:
    message = told(file, text)
    assert message.startswith("not TOML: ")
    assert where in message


def test_bytes_that_are_no_utf_8_are_told(file: Path) -> None:
    file.write_bytes(b'host = "\xff"')
    with pytest.raises(ConfigurationError, match=r"not TOML: .*utf-8"):
        resolve(Given(config=str(file)), {})


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(config=str(tmp_path / "none.toml")), {})
    assert str(raised.value) == f"{tmp_path}/none.toml: can't be read: No such file or directory"
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        resolve(Given(laravel_env=str(tmp_path)), {})


def test_a_secret_that_is_no_unicode_is_refused() -> None:
    # What Python makes of a byte in an argument or variable that is no UTF-8.
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(apps=("1:a-key:hush\udcff",)), {})
    assert str(raised.value) == "options: apps[0].secret: expected str of valid UTF-8"


def test_an_option_is_told_by_its_name() -> None:
    for given, message in (
        (Given(settings={"port": "many"}), "options: --port: expected int, got str"),
        (Given(settings={"log_format": "xml"}), "options: --log-format: invalid enum value"),
        (Given(client_events="some"), "options: --client-events: invalid enum value"),
        (Given(client_event_rate="x"), "options: --client-event-rate: expected float, got str"),
    ):
        with pytest.raises(ConfigurationError) as raised:
            resolve(given, {})
        assert str(raised.value).startswith(message)
