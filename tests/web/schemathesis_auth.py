"""Signs what schemathesis sends: its configuration names this module as ``hooks``."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit, urlunsplit

import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase

from tests.signing import signed_target


class Signed(AuthBase):
    """Signs a request as it is about to go out, whatever is wrong with the rest of it."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        assert request.method is not None
        url = urlsplit(str(request.url))
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        target = signed_target(request.method, url.path, body, **query)
        request.url = urlunsplit((url.scheme, url.netloc, "", "", "")) + target
        return request


schemathesis.auth.set_from_requests(Signed())
