"""Is this request signed by the app it names? (HTTP API, authentication of requests)

The libraries do not agree on how lists in the query are signed, nor on escapes in the path, so
a signature is good if it fits any of a few readings of the very same request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from operator import itemgetter
from urllib.parse import unquote

from ..core.apps import App
from ..pusher.signatures import SignatureMismatch, is_signed
from .exchange import Request

#: Seconds that a backend's clock may be off, either way.
CLOCK_SKEW = 600
_MD5_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
#: By code points, which is the order of the bytes too (RFC 3629, section 1).
_KEY = itemgetter(0)
_is_list_key = re.compile(r"(.+)\[\d*\]\Z").match

Pairs = list[tuple[str, str]]


def check_request(app: App, request: Request, now: float, prefix: str = "") -> None:
    """Raise ``SignatureMismatch`` unless the request is this app's, whole and fresh.

    ``now`` is Unix time in seconds, ``prefix`` the server's path prefix, which some libraries
    sign and others do not.
    """
    parameters = dict(request.query)
    if parameters.get("auth_key") != app.key:
        raise SignatureMismatch("auth_key: missing, or not the key of the app in the path")
    if parameters.get("auth_version") != "1.0":
        raise SignatureMismatch("auth_version: expected 1.0")
    _check_timestamp(parameters.get("auth_timestamp", ""), now)
    _check_body(parameters.get("body_md5"), request.body)
    signatures = [value for name, value in request.query if name == "auth_signature"]
    if len(signatures) != 1:
        raise SignatureMismatch("auth_signature: expected exactly one")
    first = None
    for text in _readings(request, prefix):
        first = first or text
        if is_signed(app, text, signatures[0]):
            return
    raise SignatureMismatch(
        "auth_signature: wrong; expected the HMAC-SHA256 (hex) of method, path and sorted query, "
        "joined by line feeds, made with this app's secret",
        expected=first or "",
    )


def _check_timestamp(text: str, now: float) -> None:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise SignatureMismatch("auth_timestamp: expected Unix seconds")
    skew = int(text) - now
    if abs(skew) >= CLOCK_SKEW:
        raise SignatureMismatch(
            f"auth_timestamp: {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this "
            f"server's clock, allowed are {CLOCK_SKEW} s: compare the two clocks"
        )


def _check_body(body_md5: str | None, body: bytes) -> None:
    if not body:
        if body_md5 not in (None, _MD5_OF_NOTHING):
            raise SignatureMismatch("body_md5: not the MD5 of the body, which is empty")
    elif body_md5 is None:
        raise SignatureMismatch("body_md5: missing, the request has a body")
    elif hashlib.md5(body, usedforsecurity=False).hexdigest() != body_md5:
        raise SignatureMismatch("body_md5: not the MD5 (lower-case hex) of the body as received")


def _readings(request: Request, prefix: str) -> Iterator[str]:
    """The texts that this request's signer may have signed, the usual one first."""
    pairs = [(k.lower(), v) for k, v in request.query if k != "auth_signature"]
    pairs.sort(key=_KEY)
    queries = [pairs]
    if any("]" in key and _is_list_key(key) for key, _ in pairs):
        queries += [_joined(pairs), _bracketed(pairs)]
    paths = [request.path]
    if "%" in request.path:
        paths.append(unquote(request.path))
    if prefix:
        paths += [path.removeprefix(prefix) for path in paths]
    for path in paths:
        for query in queries:
            signed = "&".join([f"{key}={value}" for key, value in query])
            yield f"{request.method}\n{path}\n{signed}"


def _joined(pairs: Pairs) -> Pairs:
    """``info[0]=a&info[1]=b`` as PHP signs it: ``info=a,b``."""
    folded: dict[str, list[str]] = {}
    for key, value in pairs:
        listed = _is_list_key(key)
        folded.setdefault(listed[1] if listed else key, []).append(value)
    return sorted(((key, ",".join(values)) for key, values in folded.items()), key=_KEY)


def _bracketed(pairs: Pairs) -> Pairs:
    """The same as Ruby signs it: ``info[]=a&info[]=b``."""
    plain = [(f"{m[1]}[]" if (m := _is_list_key(key)) else key, value) for key, value in pairs]
    return sorted(plain, key=_KEY)
