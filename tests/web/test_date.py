"""wsrelay.web.date"""

from __future__ import annotations

from wsrelay.web.date import Date


def test_it_is_the_form_of_http_and_goes_with_the_clock() -> None:
    now = 784111777.9
    date = Date(lambda: now)
    assert date() == date() == "Sun, 06 Nov 1994 08:49:37 GMT"
    now += 0.1
    assert date() == "Sun, 06 Nov 1994 08:49:38 GMT"
    now -= 60
    assert date() == "Sun, 06 Nov 1994 08:48:38 GMT"
