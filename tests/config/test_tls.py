"""TLS in ``wsrelay.config``: from the options, the environment and the file, and its mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wsrelay.config.resolve import ConfigurationError, Given, resolve
from wsrelay.config.settings import (
    Certificate,
    Settings,
    TlsListener,
    has_plain_port,
    tls_listeners,
)

PAIR = 'certificates = [{ cert = "cert.pem", key = "key.pem" }]\n'
APP = '[[apps]]\nid = "1"\nkey = "k"\nsecret = "s"\n'


def settings_of(tmp_path: Path, toml: str = "", **environ: str) -> Settings:
    path = tmp_path / "wsrelay.toml"
    path.write_text(toml)
    return resolve(Given(config=str(path)), environ)


def error_of(tmp_path: Path, toml: str = "", **environ: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        settings_of(tmp_path, toml, **environ)
    return str(raised.value).removeprefix(f"{tmp_path}/wsrelay.toml: ")


def test_there_is_none_until_somebody_asks_for_it() -> None:
    assert tls_listeners(resolve(Given(), {})) == ()


def test_certificate_and_key_are_enough_and_come_before_the_listeners_of_the_file(
    tmp_path: Path,
) -> None:
    settings = settings_of(
        tmp_path,
        "[[tls]]\nport = 6444\n" + PAIR,
        WSRELAY_TLS_CERT="own.pem",
        WSRELAY_TLS_KEY="own-key.pem",
    )
    own, other = tls_listeners(settings)
    assert own == TlsListener(certificates=(Certificate(cert="own.pem", key="own-key.pem"),))
    assert own.port == 6443
    assert other.port == 6444


def test_a_higher_source_changes_the_port_alone(tmp_path: Path) -> None:
    toml = 'tls_port = 6444\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n'
    [listener] = tls_listeners(settings_of(tmp_path, toml, WSRELAY_TLS_PORT="6445"))
    assert (listener.port, listener.certificates[0].cert) == (6445, "cert.pem")


def test_everything_can_be_said_of_a_listener_in_the_file(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        """
        [[tls]]
        port = 6444
        host = "127.0.0.1"
        minimum_version = "1.3"
        client_ca = "clients.pem"
        client_certificate_is_optional = true
        [[tls.certificates]]
        cert = "one.pem"
        key = "one-key.pem"
        [[tls.certificates]]
        cert = "two.pem"
        key = "two-key.pem"
        chain = "chain.pem"
        names = ["two.example", "*.two.example"]
        """,
    )
    assert settings.tls == (
        TlsListener(
            port=6444,
            host="127.0.0.1",
            certificates=(
                Certificate(cert="one.pem", key="one-key.pem"),
                Certificate(
                    cert="two.pem",
                    key="two-key.pem",
                    chain="chain.pem",
                    names=("two.example", "*.two.example"),
                ),
            ),
            minimum_version="1.3",
            client_ca="clients.pem",
            client_certificate_is_optional=True,
        ),
    )


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"WSRELAY_TLS_CERT": "cert.pem"}, "tls_key"),
        ({"WSRELAY_TLS_KEY": "key.pem"}, "tls_cert"),
        ({"WSRELAY_TLS_PORT": "6443"}, "tls_cert and tls_key"),
    ],
)
def test_half_a_pair_is_refused_with_the_other_half(
    environ: dict[str, str], missing: str, tmp_path: Path
) -> None:
    assert error_of(tmp_path, **environ).startswith(f"{missing}: missing, TLS needs ")


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[[tls]]\nport = 6444\n", "tls[0].certificates: missing"),
        ("[[tls]]\ncertificates = []\n", "tls[0].certificates: expected array of length >= 1"),
        ('[[tls]]\ncertificates = [{ cert = "c" }]\n', "tls[0].certificates[0].key: missing"),
        ('[[tls]]\ncertificates = [{ cert = "", key = "k" }]\n', "tls[0].certificates[0].cert: "),
        (
            '[[tls]]\ncertificates = [{ cert = "c", kez = "k" }]\n',
            "tls[0].certificates[0].kez: unknown key; expected one of cert, key, chain, names",
        ),
        ("[[tls]]\npassword = 1\n" + PAIR, "tls[0].password: unknown key; expected one of port, "),
        ('[[tls]]\nminimum_version = "1.1"\n' + PAIR, "tls[0].minimum_version: invalid enum "),
        ("[[tls]]\nport = 65536\n" + PAIR, "tls[0].port: expected int <= 65535"),
    ],
)
def test_a_mistake_is_told_with_its_place(toml: str, told: str, tmp_path: Path) -> None:
    assert error_of(tmp_path, toml).startswith(told)


def test_a_port_that_two_listeners_want_is_refused_with_what_was_meant(tmp_path: Path) -> None:
    twice = ("[[tls]]\nport = 6444\n" + PAIR) * 2
    assert error_of(tmp_path, twice).startswith("tls: port 6444 twice; several certificates on ")
    settings_of(tmp_path, twice.replace("6444", "0"))
    settings_of(tmp_path, twice.replace("6444\n", '6444\nhost = "127.0.0.1"\n', 1))
    settings_of(tmp_path, twice.replace("port = 6444\n", 'listen = ["unix:a"]\n'))
    settings_of(tmp_path, twice.replace("port = 6444\n", 'port = 6444\nlisten = ["unix:a"]\n', 1))


def test_the_environment_has_no_variable_for_whole_listeners(tmp_path: Path) -> None:
    assert error_of(tmp_path, WSRELAY_TLS="x").startswith("environment: WSRELAY_TLS: unknown")


@pytest.mark.parametrize(
    ("toml", "is_plain"),
    [
        ("", True),
        ("port = 6001\n[[tls]]\nport = 6443\n" + PAIR, True),
        ("port = 6001\n[[tls]]\nport = 6001\n" + PAIR, False),
        ('port = 6001\nhost = "::1"\n[[tls]]\nport = 6001\n' + PAIR, False),
        ('port = 6001\nhost = "::1"\n[[tls]]\nport = 6001\nhost = "::1"\n' + PAIR, False),
        ('port = 6001\nhost = "::1"\n[[tls]]\nport = 6001\nhost = "127.0.0.1"\n' + PAIR, True),
        ("port = 0\n[[tls]]\nport = 0\n" + PAIR, True),
        ('port = 6001\n[[tls]]\nport = 6001\nlisten = ["unix:a"]\n' + PAIR, True),
    ],
)
def test_tls_on_the_plain_port_stands_in_its_place(
    toml: str, is_plain: bool, tmp_path: Path
) -> None:
    assert has_plain_port(settings_of(tmp_path, toml)) is is_plain


@pytest.mark.parametrize("where", ['host = "0.0.0.0"', 'listen = ["tcp:6444"]'])
def test_the_development_app_is_for_nobody_outside_over_tls_either(
    where: str, tmp_path: Path
) -> None:
    toml = f"[[tls]]\n{where}\n{PAIR}"
    assert "needs an app of your own" in error_of(tmp_path, toml)
    settings_of(tmp_path, toml + APP)


def test_the_examples_of_the_docs_are_configurations(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tls.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert tls_listeners(settings_of(tmp_path, f"{example}\n{APP}"))
