"""Which request is answered by whom, and what every answer has in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from twisted.logger import Logger

from ..core.apps import App
from ..core.errors import PublishRefused
from ..pusher.signatures import SignatureMismatch
from . import channels, events, users
from .desk import Desk, EndPoint
from .exchange import Answer, Request, answer, refusal
from .signed import check_request

_log = Logger()

#: The signed end points below ``/apps/{id}/``: method, path, who answers.
SIGNED: tuple[tuple[str, re.Pattern[str], EndPoint], ...] = (
    ("POST", re.compile(r"events()\Z"), events.publish),
    ("POST", re.compile(r"batch_events()\Z"), events.publish_batch),
    ("GET", re.compile(r"channels()\Z"), channels.list_channels),
    ("GET", re.compile(r"channels/([^/]+)\Z"), channels.one_channel),
    ("GET", re.compile(r"channels/([^/]+)/users\Z"), channels.list_users),
    ("GET", re.compile(r"connections()\Z"), channels.count_connections),
    ("POST", re.compile(r"users/([^/]+)/terminate_connections\Z"), users.terminate),
)

_app_in = re.compile(r"/apps/([^/]+)/(.+)\Z", re.DOTALL).match
#: pusher-http-python (3.3) leaves ``/apps/{id}`` out here, and signs it so.
_appless = re.compile(r"/(users/[^/]+/terminate_connections)\Z").match

OK = Answer(200, b"OK", "text/plain; charset=utf-8")
HEALTH = answer({"health": "OK"})
PREFLIGHT = Answer(204, b"")
UPGRADE = refusal(
    426,
    "this is a WebSocket address: connect with ws:// or wss://",
    (("Upgrade", "websocket"), ("Connection", "Upgrade")),
)

#: With 503. Seconds.
RETRY_SOON = (("Retry-After", "1"),)

#: What anybody may GET.
OPEN = {"": OK, "/": OK, "/up": HEALTH}


class Api:
    """The HTTP API: a request in, an answer out. ``clock`` is Unix time in seconds."""

    def __init__(self, desk: Desk, clock: Callable[[], float], path_prefix: str = "") -> None:
        self._desk = desk
        self._clock = clock
        self._prefix = path_prefix

    async def respond(self, request: Request) -> Answer:
        """Answer one request; a fault of ours is logged and answered 500 without details."""
        try:
            return await self._route(request)
        except PublishRefused as refused:
            headers = RETRY_SOON if refused.status == 503 else ()
            return refusal(refused.status, refused.message, headers)
        except Exception:
            _log.failure("{method} {path} failed", method=request.method, path=request.path)
            return refusal(500, "internal error; the server's log says more")

    async def _route(self, request: Request) -> Answer:
        if request.method == "OPTIONS":
            return PREFLIGHT
        path = request.path
        if not path.startswith(self._prefix):
            return refusal(404, f"everything here is below {self._prefix}")
        path = path[len(self._prefix) :]
        signed = _app_in(path)
        if signed is not None:
            app = self._desk.apps.with_id(unquote(signed[1]))
            if app is None:
                return refusal(404, f"no app has the id {signed[1][:64]!r}")
            return await self._signed(app, signed[2], request)
        if (appless := _appless(path)) is not None:
            return await self._of_key(appless[1], request)
        found = UPGRADE if path.startswith("/app/") else OPEN.get(path)
        if found is None:
            return refusal(
                404, "no such address: the API is at /apps/{id}/, sockets are at /app/{key}"
            )
        return found if request.method in ("GET", "HEAD") else _wrong_method("GET, HEAD")

    async def _of_key(self, rest: str, request: Request) -> Answer:
        if request.method != "POST":
            return _wrong_method("POST")
        app = self._desk.apps.with_key(dict(request.query).get("auth_key", ""))
        if app is None:
            return refusal(401, "auth_key: missing, or no app has this key")
        return await self._signed(app, rest, request)

    async def _signed(self, app: App, rest: str, request: Request) -> Answer:
        allowed = []
        for method, path, end_point in SIGNED:
            named = path.match(rest)
            if named is not None:
                if method == request.method:
                    return await self._proven(app, request, end_point, unquote(named[1]))
                allowed.append(method)
        if allowed:
            return _wrong_method(", ".join(allowed))
        return refusal(404, "no such address below /apps/{id}/")

    async def _proven(self, app: App, request: Request, end_point: EndPoint, name: str) -> Answer:
        try:
            check_request(app, request, self._clock(), self._prefix)
        except SignatureMismatch as mismatch:
            _log.warn(
                "app {app}: {method} {path} refused (401): {reason}" + _advice(mismatch),
                app=app.id,
                method=request.method,
                path=request.path,
                reason=mismatch.message,
                expected=mismatch.expected,
            )
            return refusal(401, mismatch.message)
        if not app.enabled:
            return refusal(403, "this app is disabled (enabled = false)")
        if request.method == "GET":
            excess = self._desk.quotas.excess(app, "read_rate", app.read_rate, 1)
            if excess is not None:
                return excess
        return await end_point(self._desk, app, request, name)


def _advice(mismatch: SignatureMismatch) -> str:
    return "; expected a signature of {expected!r}" if mismatch.expected else ""


def _wrong_method(allowed: str) -> Answer:
    return refusal(405, f"expected {allowed}", (("Allow", allowed),))
