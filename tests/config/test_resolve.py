"""wsrelay.config.resolve: who wins, and who may be reached from outside."""

from __future__ import annotations

import traceback
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tests.properties  # noqa: F401  (how many examples, and which)
from wsrelay.config.resolve import ConfigurationError, Given, reader, resolve, sources
from wsrelay.config.settings import DEVELOPMENT_APP, Settings, is_development

#: Each source, strongest first, with the port that it names.
PORTS = {"options": 1001, "laravel": 1002, "environment": 1003, "file": 1004}


def said_by(sources: tuple[str, ...], tmp_path: Path) -> Settings:
    """Settings of which each source says its own port and brings the app ``1`` and one more."""
    given, environ, laravel, toml = {}, {}, tmp_path / ".env", tmp_path / "wsrelay.toml"
    if "options" in sources:
        given |= {
            "settings": {"port": str(PORTS["options"])},
            "apps": ("1:key:options", "options:o-key:s"),
        }
    if "laravel" in sources:
        given["laravel_env"] = str(laravel)
        laravel.write_text(
            f"PUSHER_PORT={PORTS['laravel']}\n"
            "PUSHER_APP_ID=1\nPUSHER_APP_KEY=key\nPUSHER_APP_SECRET=laravel\n"
            "REVERB_APP_ID=laravel\nREVERB_APP_KEY=l-key\nREVERB_APP_SECRET=s\n"
        )
    if "environment" in sources:
        environ |= {
            "WSRELAY_PORT": str(PORTS["environment"]),
            "PUSHER_APP_ID": "1",
            "PUSHER_APP_KEY": "key",
            "PUSHER_APP_SECRET": "environment",
            "REVERB_APP_ID": "environment",
            "REVERB_APP_KEY": "e-key",
            "REVERB_APP_SECRET": "s",
        }
    if "file" in sources:
        given["config"] = str(toml)
        toml.write_text(
            f"port = {PORTS['file']}\n"
            '[[apps]]\nid = "1"\nkey = "key"\nsecret = "file"\n'
            '[[apps]]\nid = "file"\nkey = "f-key"\nsecret = "s"\n'
        )
    return resolve(Given(**given), environ)


@pytest.mark.parametrize(
    "sources", [pair for many in (1, 2, 4) for pair in combinations(PORTS, many)]
)
def test_the_strongest_source_wins_and_the_apps_of_all_are_served(
    sources: tuple[str, ...], tmp_path: Path
) -> None:
    resolved = said_by(sources, tmp_path)
    assert resolved.port == PORTS[sources[0]]
    assert {app.id for app in resolved.apps} == {"1", *sources}
    secrets = {app.id: app.secret.reveal().decode() for app in resolved.apps}
    assert secrets["1"] == sources[0]


def test_what_one_source_leaves_out_is_taken_from_the_next(tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text('port = 1\nhost = "::1"\nlog_format = "json"\n')
    resolved = resolve(
        Given(config=str(file), settings={"port": "3"}), {"WSRELAY_HOST": "127.0.0.1"}
    )
    assert (resolved.port, resolved.host, resolved.log_format) == (3, "127.0.0.1", "json")


def test_the_files_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file, laravel = tmp_path / "wsrelay.toml", tmp_path / ".env"
    file.write_text('log_format = "json"')
    laravel.write_text("PUSHER_PORT=6002")
    resolved = resolve(Given(), {"WSRELAY_CONFIG": str(file), "WSRELAY_LARAVEL_ENV": str(laravel)})
    assert (resolved.log_format, resolved.port) == ("json", 6002)
    other = tmp_path / "other.toml"
    other.write_text("port = 6003")
    assert resolve(Given(config=str(other)), {"WSRELAY_CONFIG": str(file)}).port == 6003


# -- apps and their rights -------------------------------------------------------------------


def test_a_secret_may_hold_colons() -> None:
    [app] = resolve(Given(apps=("1:key:a:b:c",)), {}).apps
    assert app.secret.reveal() == b"a:b:c"


@pytest.mark.parametrize("text", ["", "1", "1:key", "1:key:", ":key:s", "1::s"])
def test_half_an_app_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\A--app: expected ID:KEY:SECRET\Z"):
        resolve(Given(apps=(text,)), {})


LARAVEL = "PUSHER_APP_ID=l\nPUSHER_APP_KEY=l-key\nPUSHER_APP_SECRET=s\n"
ENVIRON = {"PUSHER_APP_ID": "e", "PUSHER_APP_KEY": "e-key", "PUSHER_APP_SECRET": "s"}
TOML = '[[apps]]\nid = "t"\nkey = "t-key"\nsecret = "s"\n'


def test_rights_are_for_apps_of_options_laravel_and_environment_and_not_of_the_file(
    tmp_path: Path,
) -> None:
    laravel, file = tmp_path / ".env", tmp_path / "wsrelay.toml"
    laravel.write_text(LARAVEL)
    file.write_text(TOML)
    resolved = resolve(
        Given(
            config=str(file),
            laravel_env=str(laravel),
            apps=("o:o-key:s",),
            client_events="off",
            client_event_rate="0",
        ),
        ENVIRON,
    )
    assert {app.id: (app.client_events, app.client_event_rate) for app in resolved.apps} == {
        "o": ("off", 0),
        "l": ("off", 0),
        "e": ("off", 0),
        "t": ("members", 10),
    }


def test_rights_have_the_same_order_of_precedence(tmp_path: Path) -> None:
    laravel = tmp_path / ".env"
    laravel.write_text(LARAVEL + "WSRELAY_CLIENT_EVENTS=all\nWSRELAY_CLIENT_EVENT_RATE=2\n")
    environ = {"WSRELAY_CLIENT_EVENTS": "off", "WSRELAY_CLIENT_EVENT_RATE": "3"}
    [app] = resolve(Given(laravel_env=str(laravel), client_event_rate="1"), environ).apps
    assert (app.client_events, app.client_event_rate) == ("all", 1)
    [app] = resolve(Given(), {**environ, **ENVIRON}).apps
    assert (app.client_events, app.client_event_rate) == ("off", 3)


def test_the_development_app_has_the_rights_that_options_give() -> None:
    resolved = resolve(Given(client_events="off", client_event_rate="0"), {})
    [app] = resolved.apps
    assert (app.id, app.client_events, app.client_event_rate) == ("local-app-id", "off", 0)
    assert is_development(resolved)


def test_twins_are_told_with_their_source(tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text(TOML + TOML.replace("t-key", "other"))
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(config=str(file)), {})
    assert str(raised.value) == f"{file}: apps: two apps have the id 't'; ids must differ"
    file.write_text(TOML + TOML.replace('"t"', '"u"'))
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(config=str(file)), {})
    assert str(raised.value) == f"{file}: apps: two apps have the key 't-key'; keys must differ"
    file.write_text(TOML)
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(config=str(file), apps=("o:t-key:s",)), {})
    assert str(raised.value) == (
        f"options and {file}: apps: two apps have the key 't-key'; keys must differ"
    )


# -- the Laravel app's .env ------------------------------------------------------------------


def test_a_laravel_env_is_read_as_laravel_reads_it(tmp_path: Path) -> None:
    laravel = tmp_path / ".env"
    laravel.write_text(
        "\ufeff# the app\nAPP_NAME=Office\n\n"
        'PUSHER_APP_ID="1001"\nPUSHER_APP_KEY=key#1\n'
        "export PUSHER_APP_SECRET='it is ${APP_NAME}'\n"
        'PUSHER_HOST=127.0.0.1\nPUSHER_PORT="${PORT_OF_THE_RELAY}"\nREVERB_APP_ID=\n',
        encoding="utf-8",
    )
    resolved = resolve(Given(laravel_env=str(laravel)), {"PORT_OF_THE_RELAY": "6007"})
    [app] = resolved.apps
    assert (app.id, app.key, app.secret.reveal()) == ("1001", "key", b"it is ${APP_NAME}")
    assert resolved.port == 6007


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"A=1\nPUSHER_APP_SECRET=hush hush\n", "not a Laravel .env: line 2: expected NAME=value"),
        (b"PUSHER_APP_SECRET=hush\xff\n", "not a Laravel .env: 'utf-8' codec"),
        (b"PUSHER_APP_SECRET=hush\n", "PUSHER_APP_ID and PUSHER_APP_KEY: missing"),
        (b"WSRELAY_PROT=1\n", "WSRELAY_PROT: unknown"),
        (b"PUSHER_PORT=hush\n", "PUSHER_PORT: expected int"),
    ],
)
def test_a_mistake_in_a_laravel_env_is_told_with_the_file(
    content: bytes, message: str, tmp_path: Path
) -> None:
    laravel = tmp_path / ".env"
    laravel.write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(laravel_env=str(laravel)), {})
    assert str(raised.value).startswith(f"{laravel}: {message}")
    assert "hush" not in str(raised.value)


# -- TLS ----------------------------------------------------------------------------------------

OWN = ("1:k:s",)
TLS = '[[tls]]\nport = {}\nhost = "{}"\n[[tls.certificates]]\ncert = "c.pem"\nkey = "k.pem"\n'


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"tls_cert": "c.pem"}, "tls_key: missing"),
        ({"tls_key": "k.pem"}, "tls_cert: missing"),
        ({"tls_port": "6443"}, "tls_cert and tls_key: missing"),
    ],
)
def test_half_a_pair_of_certificate_and_key_is_refused(said: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"\A{missing}, TLS needs a certificate and its "):
        resolve(Given(settings=said, apps=OWN), {})


def test_two_listeners_for_tls_on_one_port_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    for one, other, is_refused in (
        ((6443, ""), (6443, ""), True),
        ((6443, "127.0.0.1"), (6443, "127.0.0.1"), True),
        ((6443, "127.0.0.1"), (6443, "::1"), False),
        ((6443, ""), (6444, ""), False),
        ((0, ""), (0, ""), False),
    ):
        file.write_text(TLS.format(*one) + TLS.format(*other))
        if is_refused:
            with pytest.raises(ConfigurationError, match="tls: port 6443 twice"):
                resolve(Given(config=str(file), apps=OWN), {})
        else:
            assert len(resolve(Given(config=str(file), apps=OWN), {}).tls) == 2


def test_the_development_app_is_refused_a_tls_listener_for_strangers(tmp_path: Path) -> None:
    file = tmp_path / "wsrelay.toml"
    file.write_text(TLS.format(6443, "0.0.0.0"))
    with pytest.raises(ConfigurationError, match=r"\Ahost: 0\.0\.0\.0 needs an app of your own"):
        resolve(Given(config=str(file)), {})
    file.write_text(TLS.format(6443, "127.0.0.1"))
    assert is_development(resolve(Given(config=str(file)), {}))


# -- strangers and the development app ---------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", ""])
def test_the_development_app_may_listen_on_loopback(host: str) -> None:
    assert resolve(Given(settings={"host": host}), {}).apps == (DEVELOPMENT_APP,)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "office.example", "127.0.0.1.x"])
def test_the_development_app_is_refused_any_other_host(host: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(settings={"host": host}), {})
    assert str(raised.value).startswith(f"host: {host} needs an app of your own (--app ")
    assert resolve(Given(settings={"host": host}, apps=("1:k:s",)), {}).host == host


@pytest.mark.parametrize(
    "endpoint",
    [
        "unix:/run/wsrelay.sock",
        "unix:/run/wsrelay.sock:mode=660",
        "tcp:6001:interface=127.0.0.1",
        "tcp6:6001:interface=\\:\\:1",
        "tcp:interface=localhost:port=6001",
        "ssl:6001:interface=127.0.0.1:privateKey=/etc/key.pem",
    ],
)
def test_the_development_app_may_listen_on_local_endpoints(endpoint: str) -> None:
    assert resolve(Given(settings={"listen": (endpoint,)}), {}).listen == (endpoint,)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "tcp:6001",
        "tcp:6001:interface=0.0.0.0",
        "tcp:6001:interface=",
        "tcp:6001:interface=localhost.example.com",
        "tcp6:6001:interface=\\:\\:1\\:2",
        "tcp:6001:interface=127.0.0.1:interface=0.0.0.0",
        "ssl:6001:privateKey=interface=127.0.0.1",
        "systemd:domain=INET:index=0",
    ],
)
def test_the_development_app_is_refused_any_other_endpoint(endpoint: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolve(Given(settings={"listen": ("unix:/run/a.sock", endpoint)}), {})
    assert str(raised.value).startswith(f"listen: {endpoint} needs an app of your own (--app ")
    assert resolve(Given(settings={"listen": (endpoint,)}, apps=("1:k:s",)), {}).listen


# -- secrets -----------------------------------------------------------------------------------

SECRETS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'\\\"#$: "),
    min_size=1,
    max_size=30,
).map("hush-".__add__)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    SECRETS.filter(lambda text: text.isprintable()),
    st.sampled_from(["options", "environment", "laravel", "toml"]),
    st.sampled_from(
        ["", "port", "id", "key", "right", "twin", "half", "unknown", "torn", "host", "webhook"]
    ),
)
def test_a_secret_is_in_no_repr_and_no_error(
    tmp_path: Path, secret: str, source: str, mistake: str
) -> None:
    app_id = "a b" if mistake == "id" else "1"
    key = "a/b" if mistake == "key" else "a-key"
    port = "many" if mistake == "port" else "6001"
    given: dict[str, object] = {"settings": {"host": "0.0.0.0"} if mistake == "host" else {}}
    environ: dict[str, str] = {}
    variables = {"PUSHER_APP_SECRET": secret, "PUSHER_PORT": port, "PUSHER_APP_ID": app_id}
    if mistake != "half":
        variables["PUSHER_APP_KEY"] = key
    if mistake == "unknown":
        variables["WSRELAY_UNKNOWN"] = secret
    if mistake == "right":
        variables["WSRELAY_CLIENT_EVENTS"] = "some"
    if mistake == "twin":
        given["apps"] = (f"1:a-key:{secret}", f"2:a-key:{secret}")
    if source == "options":
        given["apps"] = (f"{app_id}:{key}:{secret}" if mistake != "half" else f"{app_id}:{secret}",)
        given["client_events"] = "some" if mistake == "right" else "off"
    elif source == "environment":
        environ = variables
    elif source == "laravel":
        given["laravel_env"] = str(tmp_path / ".env")
        text = "\n".join(f"{name}='{value}'" for name, value in variables.items())
        (tmp_path / ".env").write_text(text + ("x" if mistake == "torn" else ""), "utf-8")
    else:
        given["config"] = str(tmp_path / "wsrelay.toml")
        lines = [f'id = "{app_id}"', f"secret = '{secret}'"]
        if mistake != "half":
            lines.append(f'key = "{key}"')
        if mistake == "unknown":
            lines.append(f"sekret = '{secret}'")
        if mistake == "twin":
            lines.append(f"secret = '{secret}'")
        if mistake == "torn":
            lines.append(f"headers = '{secret}")
        if mistake == "webhook":
            lines += ["[[apps.webhooks]]", "url = 1", f"headers = {{ x = '{secret}' }}"]
        (tmp_path / "wsrelay.toml").write_text("[[apps]]\n" + "\n".join(lines), "utf-8")
    try:
        shown = repr(resolve(Given(**given), environ))  # type: ignore[arg-type]
    except ConfigurationError as error:
        shown = "".join(traceback.format_exception(error, limit=0))
    assert secret not in shown


# -- reading again -----------------------------------------------------------------------------


def test_files_are_read_anew_from_where_they_are_whatever_directory_it_is_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    toml, env = tmp_path / "wsrelay.toml", tmp_path / ".env"
    toml.write_text("port = 1")
    env.write_text("WSRELAY_HOST=::1")
    monkeypatch.chdir(tmp_path)
    readers = [
        reader(Given(config="wsrelay.toml", laravel_env=".env"), {}),
        reader(Given(), {"WSRELAY_CONFIG": "wsrelay.toml", "WSRELAY_LARAVEL_ENV": ".env"}),
    ]
    monkeypatch.chdir(elsewhere)
    for port, read in zip((2, 3), readers, strict=True):
        toml.write_text(f"port = {port}")
        assert (read().port, read().host) == (port, "::1")
    toml.write_text("prot = 1")
    with pytest.raises(ConfigurationError, match=f"{toml}: prot: unknown key"):
        readers[0]()


# -- where a setting comes from ----------------------------------------------------------------


def test_each_setting_that_is_said_has_the_source_that_won(tmp_path: Path) -> None:
    toml, env = tmp_path / "wsrelay.toml", tmp_path / ".env"
    toml.write_text(
        'port = 1\nhost = "::1"\nlog_format = "json"\n'
        '[[apps]]\nid = "1"\nkey = "a"\nsecret = "s"\n[[apps]]\nid = "2"\nkey = "b"\nsecret = "s"\n'
    )
    env.write_text("PUSHER_APP_ID=1\nPUSHER_APP_KEY=c\nPUSHER_APP_SECRET=s\nPUSHER_PORT=2\n")
    given = Given(config=str(toml), laravel_env=str(env), settings={"log_format": "text"})
    assert sources(given, {"WSRELAY_HOST": "127.0.0.1"}) == {
        "port": str(env),
        "host": "environment",
        "log_format": "options",
        "apps.1": str(env),
        "apps.2": str(toml),
    }
    assert sources(Given(), {}) == {}


def test_several_processes_need_a_redis() -> None:
    given = Given(settings={"workers": "4"})
    with pytest.raises(ConfigurationError) as refused:
        resolve(given, {})
    assert str(refused.value) == (
        "workers: 4 processes are one relay only by way of a Redis, and none is configured "
        "(--redis redis://127.0.0.1:6379); --workers 1 needs none"
    )
    assert resolve(given, {"WSRELAY_REDIS": "redis://redis.example"}).workers == 4
    assert resolve(Given(settings={"workers": "1"}), {}).workers == 1
