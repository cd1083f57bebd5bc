"""wsrelay.config.settings"""

from __future__ import annotations

import pytest
from msgspec import inspect, structs

from wsrelay.config.resolve import ConfigurationError, Given, resolve
from wsrelay.config.settings import DEVELOPMENT_APP, Settings, is_development


def test_without_any_configuration_the_development_app_runs_on_port_6001() -> None:
    settings = resolve(Given(), {})
    assert settings.apps == (DEVELOPMENT_APP,)
    assert is_development(settings)
    assert settings.port == 6001
    assert (settings.host, settings.listen, settings.path_prefix) == ("", (), "")
    assert settings.cors_origins == ("*",)
    assert settings.log_format == "text"


def test_the_development_app_has_the_credentials_of_the_readme_and_may_whisper() -> None:
    assert DEVELOPMENT_APP.id == "local-app-id"
    assert DEVELOPMENT_APP.key == "local-key"
    assert DEVELOPMENT_APP.secret.reveal() == b"local-secret"
    assert DEVELOPMENT_APP.client_events == "members"


def test_the_same_credentials_from_an_operator_are_an_app_of_his_own() -> None:
    settings = resolve(Given(apps=("local-app-id:local-key:local-secret",)), {})
    assert settings.apps == (DEVELOPMENT_APP,)
    assert not is_development(settings)


def test_every_setting_says_what_it_is_for() -> None:
    table = inspect.type_info(Settings)
    assert isinstance(table, inspect.StructType)
    described = {
        field.name for field in table.fields if (getattr(field.type, "extra_json_schema", None))
    }
    assert described == set(Settings.__struct_fields__)


def toml_error(tmp_path: object, line: str) -> str:
    path = f"{tmp_path}/wsrelay.toml"
    with open(path, "w") as file:
        file.write(line)
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(config=path), {})
    return str(raised.value)


@pytest.mark.parametrize(
    ("least", "most", "below", "above"),
    [
        ("port = 0", "port = 65535", "port = -1", "port = 65536"),
        (
            "handshake_timeout = 0.1",
            "handshake_timeout = 300",
            "handshake_timeout = 0",
            "handshake_timeout = 300.1",
        ),
        (
            "request_timeout = 0.1",
            "request_timeout = 3600",
            "request_timeout = 0",
            "request_timeout = 3600.1",
        ),
        (
            "max_body_bytes = 1024",
            "max_body_bytes = 67108864",
            "max_body_bytes = 1023",
            "max_body_bytes = 67108865",
        ),
        ("max_waiting_bytes = 65536", None, "max_waiting_bytes = 65535", None),
        ("max_cache_bytes = 0", None, "max_cache_bytes = -1", None),
    ],
)
def test_bounds_hold_at_the_value_and_one_beyond(
    tmp_path: object, least: str, most: str | None, below: str, above: str | None
) -> None:
    for line in filter(None, (least, most)):
        path = f"{tmp_path}/good.toml"
        with open(path, "w") as file:
            file.write(line)
        name, value = line.split(" = ")
        assert structs.asdict(resolve(Given(config=path), {}))[name] == float(value)
    for line in filter(None, (below, above)):
        told = toml_error(tmp_path, line)
        assert told.startswith(f"{tmp_path}/wsrelay.toml: {line.split()[0]}: expected ")
        assert "<=" in told or ">" in told


@pytest.mark.parametrize("prefix", ["/realtime", "/a/b", ""])
def test_a_path_prefix_starts_with_a_slash_and_does_not_end_with_one(
    prefix: str, tmp_path: object
) -> None:
    assert resolve(Given(), {"WSRELAY_PATH_PREFIX": prefix}).path_prefix == prefix
    for wrong in (f"{prefix}/", "realtime", "/real time", "/realtime\\n"):
        assert "path_prefix: expected" in toml_error(tmp_path, f'path_prefix = "{wrong}"')
