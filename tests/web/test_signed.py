"""wsrelay.web.signed: the protocol's published vectors, and what must not pass for them.

The signatures below were cross-checked with Pusher's libraries for Node.js and Python.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import APP, an_app
from tests.properties import texts
from wsrelay.core.apps import Secret
from wsrelay.pusher.signatures import SignatureMismatch
from wsrelay.web.exchange import Request, parse_query
from wsrelay.web.signed import CLOCK_SKEW, check_request

#: 2026-01-01T00:00:00Z, when the vectors were signed.
SIGNED_AT = 1767225600
AUTH = f"auth_key=wsr-key-7f3a91&auth_timestamp={SIGNED_AT}&auth_version=1.0"

EVENTS = "/apps/482931/events"
CHANNELS = "/apps/482931/channels"
LOBBY = "/apps/482931/channels/presence-lobby"

BODY_1 = b'{"name":"order.shipped","channels":["private-orders"],"data":"{\\"id\\":7}"}'
BODY_2 = (
    '{"name":"greet","channel":"lobby","data":"{\\"t\\":\\"Zoë\\"}","socket_id":"271828.31415926"}'
).encode()
BODY_3 = (
    b'{"batch":[{"name":"a","channel":"c1","data":"{}"},'
    b'{"name":"b","channel":"presence-lobby","data":"{}","info":"user_count"}]}'
)

H1 = "ed0fe455c8643d9c1eadbb72d509457ae6bf41796a8ae6457a5596ff0e997a6d"
H2 = "70f8eb0070ca251d8b138193c319d082900ef50d2970528aa3c2dae7f4a751ba"
H3 = "14f735ec036fb38da729261fceaa2189814c64f348409078d5932fbcc7d7c56b"
H4 = "a70b1de34221a902f1c890e950018980dc7fd3ab0d919bb2d6fadf226c9867f7"
H5 = "2418e43c357bdfcfb5016e931fa553250e0861c35e8229538f1a045171c05280"
H6 = "d3a2ef843e2c858eade8b3b3782b8e7dc7a049634715961f1be9d0c624c219a9"
H7 = "448eccb7e7a93a2ae89a6b8de9a0efee1505d67fb015412d101d9dd501eab854"
H8 = "2f54f174ee15c2b3d37d02fca937a518083ae039a9e43fb8acfa0867f84cb18d"
H9 = "c256e748f81d1363b4a91b525fedc16a3e6f71ace1cda53f28caf79c5b781955"
H10 = "87f6e0e3bd58118e2fd511d43e62aff289d48ee32d2b9df60f8cd15ef9bbdbb3"
H11 = "2bcd534659da76d76de3ab4d2ed3c52cd55392d300aba1acc9e91204b75ef1d3"

MD5_1 = "body_md5=15a14835485b2f87e4318e24f7667de1"
MD5_2 = "body_md5=7f62b33a172719c5b89d675050f62e11"
MD5_3 = "body_md5=37319a1c2314b6b8e246047f29448e5a"
MD5_8 = "body_md5=99914b932bd37a50b983c5e7c90ae93b"
MD5_OF_NOTHING = "body_md5=d41d8cd98f00b204e9800998ecf8427e"


def check(
    method: str,
    path: str,
    query: str,
    body: bytes = b"",
    now: float = SIGNED_AT,
    prefix: str = "",
) -> None:
    check_request(APP, Request(method, path, parse_query(query), body), now, prefix)


def mismatch(
    method: str,
    path: str,
    query: str,
    body: bytes = b"",
    now: float = SIGNED_AT,
    prefix: str = "",
) -> SignatureMismatch:
    with pytest.raises(SignatureMismatch) as raised:
        check(method, path, query, body, now, prefix)
    return raised.value


def with_signature(*pieces: str) -> str:
    """A query in the order that most libraries send: the signature comes last."""
    *signed, signature = pieces
    return "&".join([AUTH, *signed, f"auth_signature={signature}"])


def signature_of(text: str) -> str:
    return hmac.new(APP.secret.reveal(), text.encode(), hashlib.sha256).hexdigest()


# -- the vectors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        pytest.param("POST", EVENTS, with_signature(MD5_1, H1), BODY_1, id="H1"),
        pytest.param("POST", EVENTS, with_signature(MD5_2, H2), BODY_2, id="H2"),
        pytest.param(
            "POST", "/apps/482931/batch_events", with_signature(MD5_3, H3), BODY_3, id="H3"
        ),
        pytest.param(
            "GET",
            CHANNELS,
            with_signature("filter_by_prefix=presence-", "info=user_count,subscription_count", H4),
            b"",
            id="H4",
        ),
        pytest.param("GET", LOBBY, with_signature("info=user_count", H5), b"", id="H5"),
        pytest.param("GET", f"{LOBBY}/users", with_signature(H6), b"", id="H6"),
        pytest.param("GET", CHANNELS, with_signature(MD5_OF_NOTHING, H7), b"", id="H7"),
        pytest.param(
            "POST",
            "/apps/482931/users/42/terminate_connections",
            with_signature(MD5_8, H8),
            b"{}",
            id="H8",
        ),
        pytest.param(
            "GET",
            CHANNELS,
            with_signature("filter_by_prefix=cache-a;b=c,d@e", H9),
            b"",
            id="H9",
        ),
        pytest.param("GET", CHANNELS, with_signature("filter_by_prefix=", H10), b"", id="H10"),
        pytest.param(
            "GET",
            LOBBY,
            with_signature("info[]=user_count&info[]=subscription_count", H11),
            b"",
            id="H11",
        ),
    ],
)
def test_the_published_requests_are_accepted(
    method: str, path: str, query: str, body: bytes
) -> None:
    check(method, path, query, body)


@pytest.mark.parametrize(
    "info",
    [
        "info=user_count,subscription_count",
        "info=user_count%2Csubscription_count",
        "info=user_count%2csubscription_count",
        "info%5B0%5D=user_count&info%5B1%5D=subscription_count",
        "info[0]=user_count&info[1]=subscription_count",
        "info[]=user_count&info[]=subscription_count",
    ],
)
def test_a_list_that_was_signed_with_commas_may_arrive_spelled_otherwise(info: str) -> None:
    check("GET", CHANNELS, with_signature("filter_by_prefix=presence-", info, H4))


@pytest.mark.parametrize(
    "info",
    [
        "info[]=user_count&info[]=subscription_count",
        "info%5B%5D=user_count&info%5B%5D=subscription_count",
        "info[0]=user_count&info[1]=subscription_count",
    ],
)
def test_a_list_that_was_signed_with_brackets_may_arrive_spelled_otherwise(info: str) -> None:
    check("GET", LOBBY, with_signature(info, H11))


@pytest.mark.parametrize(
    "query",
    [
        # pusher-http-python: the signature stands in the middle
        f"auth_key=wsr-key-7f3a91&auth_signature={H7}&auth_timestamp={SIGNED_AT}"
        f"&auth_version=1.0&{MD5_OF_NOTHING}",
        # any order: keys are sorted before they are signed
        f"{MD5_OF_NOTHING}&auth_version=1.0&auth_signature={H7}&auth_timestamp={SIGNED_AT}"
        "&auth_key=wsr-key-7f3a91",
        # empty pieces
        f"&&{AUTH}&&{MD5_OF_NOTHING}&auth_signature={H7}&",
        # escapes that need not be
        f"{AUTH}&{MD5_OF_NOTHING}&auth_signature={H7}".replace("-", "%2D"),
    ],
)
def test_the_order_and_the_escapes_of_the_query_do_not_matter(query: str) -> None:
    check("GET", CHANNELS, query)


@pytest.mark.parametrize(
    "value", ["cache-a;b=c,d@e", "cache-a%3Bb%3Dc%2Cd%40e", "cache-a;b%3Dc,d%40e"]
)
def test_characters_of_channel_names_are_no_separators(value: str) -> None:
    check("GET", CHANNELS, with_signature(f"filter_by_prefix={value}", H9))


def test_keys_are_signed_in_lower_case() -> None:
    check("GET", LOBBY, with_signature("Info=user_count", H5))


def test_a_body_that_is_empty_may_come_with_its_md5_or_without() -> None:
    check("GET", f"{LOBBY}/users", with_signature(H6))
    check("GET", CHANNELS, with_signature(MD5_OF_NOTHING, H7))


# -- escapes in the path, and a prefix before it -----------------------------------------------


@pytest.mark.parametrize(
    "signed_path", ["/apps/482931/users/a b@é/x", "/apps/482931/users/a%20b%40%C3%A9/x"]
)
def test_a_path_may_be_signed_with_its_escapes_or_without(signed_path: str) -> None:
    # PHP signs the text and its HTTP client escapes it afterwards.
    signature = signature_of(f"GET\n{signed_path}\n{AUTH}")
    check("GET", "/apps/482931/users/a%20b%40%C3%A9/x", with_signature(signature))


def test_a_path_with_escapes_and_a_list_are_understood_together() -> None:
    text = f"GET\n/apps/482931/channels/presence-a@b\n{AUTH}&info=user_count,subscription_count"
    query = with_signature(
        "info%5B0%5D=user_count", "info%5B1%5D=subscription_count", signature_of(text)
    )
    check("GET", "/apps/482931/channels/presence-a%40b", query)


def test_a_path_is_unescaped_once_and_not_twice() -> None:
    signature = signature_of(f"GET\n/apps/482931/users/a b\n{AUTH}")
    assert mismatch("GET", "/apps/482931/users/a%2520b", with_signature(signature))


@pytest.mark.parametrize("signed_path", [EVENTS, f"/realtime{EVENTS}"])
def test_the_servers_path_prefix_may_be_signed_or_not(signed_path: str) -> None:
    # PHP does not sign it, others do.
    signature = signature_of(f"POST\n{signed_path}\n{AUTH}&{MD5_1}")
    query = with_signature(MD5_1, signature)
    check("POST", f"/realtime{EVENTS}", query, BODY_1, prefix="/realtime")


def test_no_other_prefix_is_left_out() -> None:
    query = with_signature(MD5_1, H1)
    assert mismatch("POST", f"/realtime{EVENTS}", query, BODY_1)
    assert mismatch("POST", f"/other{EVENTS}", query, BODY_1, prefix="/realtime")


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "parameter"),
    [
        pytest.param(
            "POST", EVENTS, with_signature(MD5_1, H1), BODY_1[:-1] + b" ", "body_md5", id="body"
        ),
        pytest.param("POST", EVENTS, with_signature(MD5_1, H1), b"", "body_md5", id="no body"),
        pytest.param("POST", EVENTS, with_signature(H1), BODY_1, "body_md5", id="no MD5"),
        pytest.param(
            "POST",
            EVENTS,
            with_signature(MD5_1.upper().replace("BODY_MD5", "body_md5"), H1),
            BODY_1,
            "body_md5",
            id="MD5 in upper case",
        ),
        pytest.param(
            "GET", CHANNELS, with_signature(MD5_OF_NOTHING, H7), b" ", "body_md5", id="a body"
        ),
        pytest.param(
            "POST",
            "/apps/482931/batch_events",
            with_signature(MD5_1, H1),
            BODY_1,
            "auth_signature",
            id="another path",
        ),
        pytest.param(
            "PUT", EVENTS, with_signature(MD5_1, H1), BODY_1, "auth_signature", id="another method"
        ),
        pytest.param(
            "GET",
            CHANNELS,
            with_signature(
                "filter_by_prefix=presence-", "info=user_count,subscription_count", "a=1", H4
            ),
            b"",
            "auth_signature",
            id="a parameter more",
        ),
        pytest.param(
            "GET",
            CHANNELS,
            with_signature("filter_by_prefix=presence-", H4),
            b"",
            "auth_signature",
            id="a parameter less",
        ),
        pytest.param(
            "GET",
            CHANNELS,
            with_signature("filter_by_prefix=private-", "info=user_count", H4),
            b"",
            "auth_signature",
            id="another value",
        ),
        pytest.param(
            "GET",
            CHANNELS,
            with_signature("filter_by_prefix=presence-", "info=subscription_count,user_count", H4),
            b"",
            "auth_signature",
            id="a list in another order",
        ),
        pytest.param(
            "GET",
            LOBBY,
            with_signature("info[]=user_count,subscription_count", H11),
            b"",
            "auth_signature",
            id="commas where brackets were signed",
        ),
        pytest.param(
            "POST",
            EVENTS,
            with_signature(MD5_1, H1.upper()),
            BODY_1,
            "auth_signature",
            id="signature in upper case",
        ),
        pytest.param(
            "POST", EVENTS, with_signature(MD5_1, H1[:-1]), BODY_1, "auth_signature", id="cut short"
        ),
        pytest.param(
            "POST", EVENTS, with_signature(MD5_1, ""), BODY_1, "auth_signature", id="empty"
        ),
        pytest.param(
            "POST", EVENTS, with_signature(MD5_1, "%C3%A9"), BODY_1, "auth_signature", id="not hex"
        ),
        pytest.param("POST", EVENTS, f"{AUTH}&{MD5_1}", BODY_1, "auth_signature", id="none"),
        pytest.param(
            "POST",
            EVENTS,
            with_signature(MD5_1, f"auth_signature={H1}", H1),
            BODY_1,
            "auth_signature",
            id="twice the same",
        ),
        pytest.param(
            "POST",
            EVENTS,
            with_signature(MD5_1, "auth_signature=0", H1),
            BODY_1,
            "auth_signature",
            id="a wrong and a right one",
        ),
        pytest.param("POST", EVENTS, "", BODY_1, "auth_key", id="nothing at all"),
    ],
)
def test_anything_else_is_refused_and_told_which_parameter_is_wrong(
    method: str, path: str, query: str, body: bytes, parameter: str
) -> None:
    assert mismatch(method, path, query, body).message.startswith(f"{parameter}: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "auth_key=wsr-key-7f3a91&",
            "",
            "auth_key: missing, or not the key of the app in the path",
        ),
        (
            "wsr-key-7f3a91",
            "other-key",
            "auth_key: missing, or not the key of the app in the path",
        ),
        ("auth_version=1.0", "auth_version=1.1", "auth_version: expected 1.0"),
        ("&auth_version=1.0", "", "auth_version: expected 1.0"),
        (str(SIGNED_AT), "", "auth_timestamp: expected Unix seconds"),
        (str(SIGNED_AT), "yesterday", "auth_timestamp: expected Unix seconds"),
        (str(SIGNED_AT), f"{SIGNED_AT}.5", "auth_timestamp: expected Unix seconds"),
        (str(SIGNED_AT), f"-{SIGNED_AT}", "auth_timestamp: expected Unix seconds"),
        (str(SIGNED_AT), "%D9%A1%D9%A7%D9%A6%D9%A7", "auth_timestamp: expected Unix seconds"),
        (str(SIGNED_AT), "9" * 5000, "auth_timestamp: expected Unix seconds"),
        (f"auth_timestamp={SIGNED_AT}&", "", "auth_timestamp: expected Unix seconds"),
    ],
)
def test_a_parameter_that_is_not_as_expected_is_named(old: str, new: str, message: str) -> None:
    query = with_signature(H6).replace(old, new)
    assert mismatch("GET", f"{LOBBY}/users", query).message == message


@pytest.mark.parametrize("skew", [599, -599, 599.9, 0])
def test_a_clock_may_be_off_by_less_than_ten_minutes(skew: float) -> None:
    check("POST", EVENTS, with_signature(MD5_1, H1), BODY_1, now=SIGNED_AT + skew)


@pytest.mark.parametrize(
    ("skew", "how"), [(600, "600 s behind"), (-600, "600 s ahead of"), (86_400, "86400 s behind")]
)
def test_a_clock_that_is_off_by_more_is_told_by_how_much(skew: float, how: str) -> None:
    told = mismatch("POST", EVENTS, with_signature(MD5_1, H1), BODY_1, now=SIGNED_AT + skew)
    assert told.message == (
        f"auth_timestamp: {how} this server's clock, allowed are 600 s: compare the two clocks"
    )
    assert CLOCK_SKEW == 600


def test_another_apps_secret_does_not_sign() -> None:
    app = an_app(secret=Secret("guess"))
    request = Request("POST", EVENTS, parse_query(with_signature(MD5_1, H1)), BODY_1)
    with pytest.raises(SignatureMismatch, match="auth_signature: wrong"):
        check_request(app, request, SIGNED_AT)


def test_the_operator_and_not_the_backend_is_told_what_had_to_be_signed() -> None:
    told = mismatch("POST", EVENTS, with_signature(MD5_1, H2), BODY_1)
    assert told.expected == f"POST\n{EVENTS}\n{AUTH}&{MD5_1}"
    for secret in (H1, told.expected, APP.secret.reveal().decode()):
        assert secret not in told.message


@given(
    st.sampled_from(["GET", "POST"]),
    st.dictionaries(
        texts.filter(bool).map(str.lower).filter(lambda key: "[" not in key), texts, max_size=4
    ),
    st.binary(max_size=40),
    texts,
)
def test_whatever_is_asked_it_passes_when_signed_and_fails_when_changed(
    method: str, parameters: dict[str, str], body: bytes, name: str
) -> None:
    parameters |= {
        "auth_key": APP.key,
        "auth_timestamp": str(SIGNED_AT),
        "auth_version": "1.0",
        "body_md5": hashlib.md5(body, usedforsecurity=False).hexdigest(),
    }
    parameters.pop("auth_signature", None)
    path = f"/apps/482931/channels/{quote(name, safe='')}"
    pairs = sorted(parameters.items(), key=lambda pair: pair[0].encode())
    signed = "&".join(f"{key}={value}" for key, value in pairs)
    parameters["auth_signature"] = signature_of(f"{method}\n{path}\n{signed}")
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in parameters.items())
    check(method, path, query, body)
    assert mismatch("PUT", path, query, body)
    assert mismatch(method, f"{path}x", query, body)
    assert mismatch(method, path, f"{query}&x=", body)
    assert mismatch(method, path, query, body + b" ")
