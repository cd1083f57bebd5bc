"""wsrelay.web.quota"""

from __future__ import annotations

import json

from tests.doubles import an_app
from wsrelay.web.exchange import Answer
from wsrelay.web.quota import Quotas


class Clock:
    """Monotonic seconds that pass when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def headers(answer: Answer | None) -> dict[str, str]:
    assert answer is not None
    assert answer.status == 429
    return dict(answer.headers)


def test_rate_zero_is_no_limit() -> None:
    quotas = Quotas(Clock())
    assert not any(quotas.excess(an_app(), "event_rate", 0, 1000) for _ in range(100))


def test_what_is_too_much_is_429_with_the_usual_headers_and_the_setting() -> None:
    quotas = Quotas(Clock())
    app = an_app()
    assert quotas.excess(app, "event_rate", 10, 8) is None
    refused = quotas.excess(app, "event_rate", 10, 4)
    assert headers(refused) == {
        "Retry-After": "1",
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "2",
    }
    assert refused is not None
    assert json.loads(refused.body) == {"error": "more than 10 a second (event_rate)", "code": 429}


def test_who_waits_for_as_long_as_retry_after_says_is_admitted() -> None:
    for debt in range(1, 60):  # 2.4 seconds, said as 2, would be too early
        clock = Clock()
        quotas = Quotas(clock)
        app = an_app()
        assert quotas.excess(app, "event_rate", 10, 10 + debt) is None
        wait = int(headers(quotas.excess(app, "event_rate", 10, 1))["Retry-After"])
        clock.now += wait
        assert quotas.excess(app, "event_rate", 10, 1) is None, f"{debt} more, told to wait {wait}"


def test_apps_and_settings_have_their_own_quotas() -> None:
    quotas = Quotas(Clock())
    app, other = an_app(), an_app(id="other", key="other-key")
    assert quotas.excess(app, "event_rate", 1, 1) is None
    assert quotas.excess(app, "event_rate", 1, 1) is not None
    assert quotas.excess(app, "read_rate", 1, 1) is None
    assert quotas.excess(other, "event_rate", 1, 1) is None
