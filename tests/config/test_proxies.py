"""The settings about proxies, and the mistakes that can be made with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsrelay.config.resolve import ConfigurationError, Given, resolve
from wsrelay.config.settings import Settings, tls_listeners

TLS = '[[tls]]\ncertificates = [{ cert = "c", key = "k" }]\n'


def read(content: str, path: Path) -> Settings:
    file = path / "relay.toml"
    file.write_text(content)
    return resolve(Given(config=str(file)), {})


@pytest.mark.parametrize("place", ["10.0.0.0/33", "10.0.0.1/8", "proxy.example", "", "unix:/run/a"])
def test_what_is_no_place_of_a_proxy_is_told(place: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(f'trusted_proxies = ["{place}"]', tmp_path)
    assert str(raised.value).startswith("trusted_proxies: ")
    assert "expected addresses, networks such as 10.0.0.0/8, or unix" in str(raised.value)


def test_a_tls_listener_behind_proxies_needs_to_know_them_too(tmp_path: Path) -> None:
    gated = TLS + "proxy_protocol = true\n"
    with pytest.raises(ConfigurationError, match="proxy_protocol: needs trusted_proxies"):
        read(gated, tmp_path)
    settings = read('trusted_proxies = ["192.0.2.1"]\n' + gated, tmp_path)
    assert not settings.proxy_protocol
    assert settings.tls[0].proxy_protocol


def test_the_port_of_tls_that_options_name_is_behind_the_same_proxies_as_the_plain_one() -> None:
    said = {"tls_cert": "c", "tls_key": "k"}
    (open_,) = tls_listeners(Settings(**said))
    (gated,) = tls_listeners(Settings(**said, proxy_protocol=True))
    assert (open_.proxy_protocol, gated.proxy_protocol) == (False, True)
