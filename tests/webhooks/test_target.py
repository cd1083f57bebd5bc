"""wsrelay.webhooks.target"""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles import an_app
from wsrelay.core.apps import Secret, Webhook
from wsrelay.webhooks.target import EVERY_KIND, OWN_HEADERS, Target, fault_in_webhook


def target(url: str = "https://example.com/hook", **settings: Any) -> Target:
    webhook = Webhook(url=url, **settings)
    return Target(an_app(webhooks=(webhook,)), webhook, 2)


def test_without_filters_everything_is_wanted() -> None:
    assert len(EVERY_KIND) == 7
    assert all(target().wants(kind, "any") for kind in EVERY_KIND)


def test_only_the_kinds_that_are_named_are_wanted() -> None:
    asked = target(events=("channel_vacated", "client_event"))
    assert asked.wants("client_event", "a")
    assert not asked.wants("channel_occupied", "a")
    assert asked.wants_any({"channel_occupied", "channel_vacated"}, "a")
    assert not asked.wants_any({"member_added", "member_removed"}, "a")


def test_a_prefix_and_a_suffix_must_both_fit() -> None:
    asked = target(channel_prefix="private-", channel_suffix="-eu")
    assert asked.wants("channel_occupied", "private-desk-eu")
    assert not asked.wants("channel_occupied", "private-desk-us")
    assert not asked.wants("channel_occupied", "presence-desk-eu")
    assert not asked.wants_any(EVERY_KIND, "presence-desk-eu")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com:8443/hook;a?b=c%20d&e",
        "http://127.0.0.1:8000/hook",
        "http://[::1]:8000/hook",
        "http://[::1]",
        "https://xn--bcher-kva.example/",
    ],
)
def test_a_url_that_can_be_asked_has_no_fault(url: str) -> None:
    assert fault_in_webhook(Webhook(url=url)) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://bücher.example/", "ASCII"),
        ("https://example.com/a b", "ASCII"),
        ("https://example.com/a\r\nX: y", "ASCII"),
        ("https:///hook", "a host"),
        ("https://:8000/hook", "a host"),
        ("ftp://example.com/", "http://"),
        ("https://example.com:0/", "a port"),
        ("https://example.com:99999/", "not a URL"),
        ("https://example.com:a/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://me:secret@example.com/", "Authorization"),
    ],
)
def test_a_url_that_can_t_be_asked_has_a_fault_that_says_why(url: str, why: str) -> None:
    fault = fault_in_webhook(Webhook(url=url))
    assert fault is not None
    assert fault.startswith("url: ")
    assert why in fault
    assert "secret" not in fault


@pytest.mark.parametrize("name", [*sorted(OWN_HEADERS), "X-Pusher-Key", "HOST"])
def test_what_the_relay_sets_itself_can_t_be_configured(name: str) -> None:
    fault = fault_in_webhook(Webhook(url="https://example.com", headers={name: Secret("v")}))
    assert fault == f"headers: {name} is set by the relay itself"


@pytest.mark.parametrize("name", ["", "a b", "a:", "é", "a\r\nb"])
def test_a_header_needs_a_name_that_http_knows(name: str) -> None:
    fault = fault_in_webhook(Webhook(url="https://example.com", headers={name: Secret("v")}))
    assert fault is not None
    assert fault.endswith("is no name of an HTTP header")


@pytest.mark.parametrize("value", ["hidden\r\nX: y", "hidden\n", "hidden\0"])
def test_a_value_with_a_line_break_is_refused_and_not_shown(value: str) -> None:
    fault = fault_in_webhook(Webhook(url="https://example.com", headers={"X-A": Secret(value)}))
    assert fault is not None
    assert "line break" in fault
    assert "hidden" not in fault


def test_a_faulty_webhook_is_named_by_its_app_and_its_number() -> None:
    with pytest.raises(ValueError, match=r"^webhook 2 of app 482931: url: "):
        target("https://example.com:0/")


def test_the_log_s_name_tells_neither_path_nor_query() -> None:
    asked = target("https://example.com:8443/T0/secret?token=secret#secret")
    assert asked.name == "webhook 2 of app 482931 (https://example.com:8443)"


def test_headers_are_revealed_for_the_sender() -> None:
    assert target(headers={"Authorization": Secret("Bearer é")}).headers == {
        "Authorization": "Bearer é".encode()
    }
