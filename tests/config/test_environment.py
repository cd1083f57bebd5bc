"""wsrelay.config.environment"""

from __future__ import annotations

import pytest

from wsrelay.config.resolve import ConfigurationError, Given, resolve
from wsrelay.config.settings import Settings, is_development
from wsrelay.core.apps import App, Secret

PUSHER = {"PUSHER_APP_ID": "1", "PUSHER_APP_KEY": "p-key", "PUSHER_APP_SECRET": "p-secret"}
REVERB = {"REVERB_APP_ID": "2", "REVERB_APP_KEY": "r-key", "REVERB_APP_SECRET": "r-secret"}
OURS = {"WSRELAY_APP_ID": "3", "WSRELAY_APP_KEY": "w-key", "WSRELAY_APP_SECRET": "w-secret"}


def settings_of(**environ: str) -> Settings:
    return resolve(Given(), environ)


def error_of(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        settings_of(**environ)
    return str(raised.value)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("PORT", "6002", 6002),
        ("HOST", "127.0.0.1", "127.0.0.1"),
        ("LISTEN", "unix:/run/a.sock, unix:/run/b.sock", ("unix:/run/a.sock", "unix:/run/b.sock")),
        ("PATH_PREFIX", "/realtime", "/realtime"),
        ("CORS_ORIGINS", "https://a.example,https://b.example,", None),
        ("HANDSHAKE_TIMEOUT", "2.5", 2.5),
        ("REQUEST_TIMEOUT", "2.5", 2.5),
        ("MAX_BODY_BYTES", "2048", 2048),
        ("MAX_WAITING_BYTES", "65536", 65536),
        ("MAX_CACHE_BYTES", "1000", 1000),
        ("WEBHOOK_PRIVATE_ADDRESSES", "true", True),
        ("MAX_CONNECTIONS_PER_IP", "50", 50),
        ("CONNECTION_RATE_PER_IP", "2.5", 2.5),
        ("TRUSTED_PROXIES", "127.0.0.1, fd00::/8,unix", ("127.0.0.1", "fd00::/8", "unix")),
        ("LOG_FORMAT", "json", "json"),
        ("LOG_CONNECTIONS", "false", False),
        ("DRAIN", "2.5", 2.5),
        ("SUCCESSOR", "present", "present"),
        ("REUSE_PORT", "true", True),
        ("DEFLATE", "true", True),
        ("WORKERS", "1", 1),
        ("METRICS_PORT", "9700", 9700),
        ("METRICS_HOST", "::1", "::1"),
        ("ECHO_PATH", "/echo", "/echo"),
        ("REDIS", "redis://h", Secret("redis://h")),
        ("REDIS_PREFIX", "mine", "mine"),
    ],
)
def test_every_setting_has_its_variable(variable: str, text: str, value: object) -> None:
    settings = settings_of(**{f"WSRELAY_{variable}": text})
    expected = ("https://a.example", "https://b.example") if value is None else value
    assert getattr(settings, variable.lower()) == expected


def test_no_setting_is_without_a_test_above() -> None:
    [mark] = test_every_setting_has_its_variable.pytestmark
    tested = {case[0].lower() for case in mark.args[1]}
    of_tls = {"tls_port", "tls_cert", "tls_key"}  # which go together: test_tls.py
    assert tested == set(Settings.__struct_fields__) - {"apps", "tls", "proxy_protocol"} - of_tls


def test_the_proxy_protocol_has_its_variable_and_needs_to_know_whom_to_trust() -> None:
    settings = settings_of(WSRELAY_PROXY_PROTOCOL="true", WSRELAY_TRUSTED_PROXIES="10.0.0.0/8")
    assert settings.proxy_protocol
    assert error_of(WSRELAY_PROXY_PROTOCOL="true") == (
        "proxy_protocol: needs trusted_proxies, the addresses of the proxies that connect"
    )


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({"PUSHER_PORT": "6003"}, 6003),
        ({"PUSHER_PORT": "6003", "WEBSOCKET_PORT": "6002"}, 6002),
        ({"PUSHER_PORT": "6003", "WEBSOCKET_PORT": "6002", "WSRELAY_PORT": "6001"}, 6001),
        ({"WEBSOCKET_PORT": "", "PUSHER_PORT": "6003"}, 6003),
        ({"REVERB_PORT": "8080"}, 6001),
    ],
)
def test_the_port_is_taken_from_the_first_variable_that_names_one(
    environ: dict[str, str], port: int
) -> None:
    assert settings_of(**environ).port == port


def test_the_host_is_taken_from_ours_before_websocket_host() -> None:
    assert settings_of(WEBSOCKET_HOST="::1").host == "::1"
    assert settings_of(WEBSOCKET_HOST="::1", WSRELAY_HOST="127.0.0.1").host == "127.0.0.1"


@pytest.mark.parametrize("variables", [PUSHER, REVERB, OURS], ids=lambda each: next(iter(each)))
def test_three_variables_name_an_app(variables: dict[str, str]) -> None:
    app_id, key, secret = variables.values()
    settings = settings_of(**variables)
    assert settings.apps == (App(id=app_id, key=key, secret=Secret(secret)),)
    assert not is_development(settings)


def test_apps_of_several_owners_are_served_together() -> None:
    assert [app.id for app in settings_of(**PUSHER, **REVERB, **OURS).apps] == ["3", "1", "2"]


def test_where_pusher_and_reverb_name_one_app_it_is_one_app() -> None:
    one = {name.replace("PUSHER", "REVERB"): value for name, value in PUSHER.items()}
    assert [app.key for app in settings_of(**PUSHER, **one).apps] == ["p-key"]


def test_two_apps_with_one_key_are_refused() -> None:
    told = error_of(**{**PUSHER, **REVERB, "REVERB_APP_KEY": "p-key"})
    assert told.startswith("environment: apps: two apps have the key 'p-key'")


@pytest.mark.parametrize("owner", ["PUSHER", "REVERB", "WSRELAY"])
def test_half_an_app_is_told_by_what_is_missing(owner: str) -> None:
    told = error_of(**{f"{owner}_APP_KEY": "a-key", f"{owner}_APP_ID": ""})
    assert told == (
        f"environment: {owner}_APP_ID and {owner}_APP_SECRET: missing, the app needs all three"
    )


def test_the_rights_are_those_of_apps_from_the_environment() -> None:
    [app] = settings_of(**PUSHER, WSRELAY_CLIENT_EVENTS="all", WSRELAY_CLIENT_EVENT_RATE="2.5").apps
    assert (app.client_events, app.client_event_rate) == ("all", 2.5)


def test_an_unknown_variable_of_ours_is_refused_with_those_that_exist() -> None:
    told = error_of(WSRELAY_PROT="6002")
    assert told.startswith("environment: WSRELAY_PROT: unknown; expected WSRELAY_ and one of ")
    for name in ("APP_ID", "CLIENT_EVENTS", "CONFIG", "LARAVEL_ENV", "PORT"):
        assert name in told.split(", ") or f" {name}," in told


def test_variables_of_the_tests_do_not_exist_for_the_server() -> None:
    assert error_of(WSRELAY_TEST_PORT="6001").startswith("environment: WSRELAY_TEST_PORT: unknown")


def test_what_others_keep_in_the_environment_is_no_business_of_ours() -> None:
    settings_of(PATH="/bin", PUSHER_HOST="x", REVERB_PORT="x", VITE_PUSHER_APP_KEY="x", PORT="x")


@pytest.mark.parametrize("variable", ["WSRELAY_PORT", "WEBSOCKET_PORT", "PUSHER_PORT"])
def test_a_wrong_value_is_told_by_the_variable_that_holds_it(variable: str) -> None:
    assert error_of(**{variable: "many"}) == f"environment: {variable}: expected int, got str"
    assert error_of(**{variable: "65536"}).startswith(f"environment: {variable}: expected int <= ")


def test_a_wrong_right_is_told_by_its_variable_even_without_an_app() -> None:
    told = error_of(WSRELAY_CLIENT_EVENTS="everybody")
    assert told.startswith("environment: WSRELAY_CLIENT_EVENTS: ")
    assert error_of(WSRELAY_CLIENT_EVENT_RATE="-1").startswith(
        "environment: WSRELAY_CLIENT_EVENT_RATE: expected float >= 0"
    )
